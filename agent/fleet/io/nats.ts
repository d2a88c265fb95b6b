/**
 * NATS JetStream as connection.ts has it: the one door of the NATS client's packages.
 *
 * The client's own reconnection is off. Here each attempt is a connection of its own, so that credentials and certificates
 * are read from their files anew, nothing that a server says ends the attempts, and no request outlives the connection that it
 * was made on. Readings end with their connection, too; who reads begins again from what it has. Reads next: backoff.ts.
 */
import {
  AckPolicy,
  DeliverPolicy,
  jetstream,
  JetStreamApiCodes,
  JetStreamApiError,
  type JetStreamClient,
  JetStreamError,
  type JetStreamManager,
  jetstreamManager,
  type JsMsg,
  StorageType,
} from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import type { MsgHdrs, NatsConnection } from "@nats-io/nats-core";
import {
  connect,
  credsAuthenticator,
  errors,
  headers,
  nanos,
  nkeyAuthenticator,
  type NodeConnectionOptions,
} from "@nats-io/transport-node";
import type { Clock, Logger } from "../../../backends/clock.ts";
import { errorCode } from "../../errno.ts";
import { hostOf, octetsIn, seedIn } from "./access.ts";
import { backoffMillis, pause } from "./backoff.ts";
import {
  type FleetAccess,
  type FleetConnection,
  FleetError,
  type FleetErrorCode,
  type Reading,
  type StoredMessage,
} from "./connection.ts";
import { presence } from "./presence.ts";

/** To connect, and for an answer of the server. A cluster that elects a leader answers after one or two seconds. */
const ANSWER_MILLIS = 5000;
/** A cut cable is noticed after twice this. */
const PING_MILLIS = 5000;
/** A connection that stood for so long was a good one: the next attempt is a first one. */
const GOOD_MILLIS = 10_000;
/** Messages asked for at a time: one that is handled slowly keeps at most so many in memory, of 1 MiB each by default. */
const BATCH = 32;
/** How long one request for messages stands. */
const BATCH_MILLIS = 30_000;
/** While nothing comes the server says so; two that are missed end the reading. */
const HEARTBEAT_MILLIS = 5000;
/** The server forgets a consumer that nobody asks. */
const FORGET_CONSUMER_MILLIS = 60_000;

type Live = {
  readonly nc: NatsConnection;
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  readonly kvm: Kvm;
};

/** Begins to connect and returns at once; never gives up until it is closed. */
export function connectFleet(
  access: FleetAccess,
  clock: Clock,
  logger: Pick<Logger, "info" | "warn">,
): FleetConnection {
  let live: Live | undefined;
  let maxPayload = 0;
  const closing = new AbortController();
  const { become, state, onState, connected } = presence(clock, logger);

  /** Until the connection has ended; gives how long it stood, in milliseconds. */
  const connectOnce = async (server: string): Promise<number> => {
    const nc = await connect(connectOptions(access, server));
    if (closing.signal.aborted) {
      await nc.close();
      return 0;
    }
    const options = { checkAPI: false, timeout: ANSWER_MILLIS };
    const js = jetstream(nc, options);
    live = { nc, js, jsm: await jetstreamManager(nc, options), kvm: new Kvm(js) };
    maxPayload = nc.info?.max_payload ?? 0;
    const began = clock.monotonicMillis();
    become(true, nc.getServer());
    sayRefusals(nc, logger);
    const error = await nc.closed();
    live = undefined;
    become(
      false,
      closing.signal.aborted ? "closed" : (error?.message ?? "the server ended the connection"),
    );
    return clock.monotonicMillis() - began;
  };
  const keepConnected = async (): Promise<void> => {
    const { servers } = access;
    // Hosts begin with different ones; each attempt goes to the next.
    const first = Math.floor(clock.random() * servers.length);
    for (let attempt = 0; !closing.signal.aborted; attempt += 1) {
      try {
        const server = servers[(first + attempt) % servers.length] ?? "";
        if ((await connectOnce(server)) > GOOD_MILLIS) attempt = 0;
      } catch (error) {
        // Whatever it is (a file, a name, a certificate, a refusal): the next attempt may find it mended.
        become(false, textOf(error));
      }
      await pause(clock, backoffMillis(attempt, clock.random()), closing.signal);
    }
  };
  const running = keepConnected();

  const using = async <T>(act: (live: Live) => Promise<T>): Promise<T> => {
    if (live === undefined) throw new FleetError("FLEET_NOT_CONNECTED", state().reason);
    try {
      return await act(live);
    } catch (error) {
      throw fleetError(error);
    }
  };
  return {
    state,
    onState,
    connected,
    maxPayload: () => maxPayload,
    publish: ({ stream, subject, body, headers: named, expected }) =>
      using(async ({ js }) => {
        const { seq } = await js.publish(subject, body, {
          timeout: ANSWER_MILLIS,
          expect: {
            streamName: stream,
            ...(expected === undefined ? {} : { lastSequence: expected }),
          },
          ...(named === undefined ? {} : { headers: headersOf(named) }),
        });
        return { sequence: seq };
      }),
    read: (reading, signal) => using((now) => readOn(now, reading, signal)),
    lastOfSubject: (stream, subject) =>
      using(async ({ jsm }) =>
        stored(await jsm.direct.getMessage(stream, { last_by_subj: subject })),
      ),
    at: (stream, sequence) =>
      using(async ({ jsm }) => stored(await jsm.direct.getMessage(stream, { seq: sequence }))),
    streamInfo: (stream) =>
      using(async ({ jsm }) => {
        const { created, config, state: held } = await jsm.streams.info(stream);
        const { max_age, max_bytes, max_msgs, max_msgs_per_subject } = config;
        return {
          created,
          isLimited: [max_age, max_bytes, max_msgs, max_msgs_per_subject].some((most) => most > 0),
          firstSequence: held.first_seq,
          lastSequence: held.last_seq,
          messages: held.messages,
        };
      }),
    newestSequence: (stream) =>
      using(async ({ jsm }) => {
        const { state: held } = await jsm.streams.info(stream, { deleted_details: true });
        if (held.messages === 0) return 0;
        const gone = new Set(held.deleted);
        let sequence = held.last_seq;
        while (gone.has(sequence)) sequence -= 1;
        return sequence;
      }),
    ensureStream: ({ name, subjects, replicas, maxOctets }) =>
      using(async ({ jsm }) => {
        if (await isThere(jsm, name)) return;
        await jsm.streams.add({
          name,
          subjects: [...subjects],
          num_replicas: replicas,
          storage: StorageType.File,
          allow_direct: true,
          ...(maxOctets === undefined ? {} : { max_bytes: maxOctets }),
        });
      }),
    ensureBucket: ({ name, replicas }) =>
      using(async ({ jsm, kvm }) => {
        if (await isThere(jsm, `KV_${name}`)) return;
        await kvm.create(name, { history: 1, replicas, storage: StorageType.File });
      }),
    kvPut: (bucket, key, value) =>
      using(async ({ kvm }) => {
        await (await kvm.open(bucket, { allow_direct: true })).put(key, value);
      }),
    kvDelete: (bucket, key) =>
      using(async ({ kvm }) => {
        await (await kvm.open(bucket, { allow_direct: true })).delete(key);
      }),
    async close() {
      closing.abort();
      await live?.nc.close();
      await running;
    },
  };
}

function connectOptions(access: FleetAccess, server: string): NodeConnectionOptions {
  const { name, inbox, credentials, seed, tls } = access;
  const options: NodeConnectionOptions = {
    servers: [server],
    name,
    inboxPrefix: inbox,
    reconnect: false,
    ignoreClusterUpdates: true,
    timeout: ANSWER_MILLIS,
    pingInterval: PING_MILLIS,
    maxPingOut: 2,
    noAsyncTraces: true,
  };
  if (credentials !== undefined) options.authenticator = credsAuthenticator(octetsIn(credentials));
  else if (seed !== undefined) options.authenticator = nkeyAuthenticator(seedIn(seed));
  if (tls !== undefined || server.startsWith("tls:")) {
    const files = {
      ...(tls?.ca === undefined ? {} : { caFile: tls.ca }),
      ...(tls?.certificate === undefined ? {} : { certFile: tls.certificate }),
      ...(tls?.key === undefined ? {} : { keyFile: tls.key }),
    };
    // The client hands these on to node:tls, which without it compares a certificate with "localhost" where an address was dialled.
    options.tls = Object.assign(files, { host: hostOf(server) });
  }
  return options;
}

/** What the server does not allow is said once for each subject, for it is a fault of the configuration. */
function sayRefusals(nc: NatsConnection, logger: Pick<Logger, "warn">): void {
  const said = new Set<string>();
  const listen = async (): Promise<void> => {
    for await (const status of nc.status()) {
      if (status.type !== "error" || said.has(status.error.message)) continue;
      said.add(status.error.message);
      logger.warn({ reason: status.error.message }, "the NATS server refuses");
    }
  };
  void listen();
}

async function isThere(jsm: JetStreamManager, stream: string): Promise<boolean> {
  try {
    await jsm.streams.info(stream);
    return true;
  } catch (error) {
    if (codeOf(error) === "FLEET_NO_STREAM") return false;
    throw error;
  }
}

/**
 * A pull consumer without acknowledgements, made anew for each reading: what was read is known to who reads, never to the
 * server. It lives in one server's memory; where that is lost, the reading ends and is begun again.
 */
async function readOn(live: Live, reading: Reading, signal: AbortSignal): Promise<void> {
  const { stream, consumer, filter, from, headersOnly = false } = reading;
  await live.jsm.consumers.delete(stream, consumer).catch((error: unknown) => {
    if (!(error instanceof JetStreamApiError)) throw error;
  });
  const info = await live.jsm.consumers.add(stream, {
    name: consumer,
    ack_policy: AckPolicy.None,
    inactive_threshold: nanos(FORGET_CONSUMER_MILLIS),
    mem_storage: true,
    num_replicas: 1,
    headers_only: headersOnly,
    ...(filter === undefined ? {} : { filter_subject: filter }),
    ...(from === "newest-of-each-subject"
      ? { deliver_policy: DeliverPolicy.LastPerSubject }
      : { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: Math.max(1, from) }),
  });
  reading.onStart?.(info.num_pending);
  const source = live.js.consumers.getConsumerFromInfo(info);
  let delivered = 0;
  while (!signal.aborted) {
    const batch = await source.fetch({
      max_messages: BATCH,
      expires: BATCH_MILLIS,
      idle_heartbeat: HEARTBEAT_MILLIS,
    });
    const stop = (): void => batch.stop();
    signal.addEventListener("abort", stop, { once: true });
    try {
      for await (const message of batch) {
        if (signal.aborted) return;
        delivered += 1;
        if (message.info.deliverySequence !== delivered) {
          throw new FleetError("FLEET_READING_ENDED", "a message was lost on the way");
        }
        await reading.onMessage(readMessage(message));
      }
    } finally {
      signal.removeEventListener("abort", stop);
      stop();
    }
    if (live.nc.isClosed()) throw new FleetError("FLEET_NOT_CONNECTED", "the connection ended");
  }
}

const readMessage = (message: JsMsg) => ({
  subject: message.subject,
  headers: headersFrom(message.headers),
  body: message.data,
  sequence: message.seq,
  pending: message.info.pending,
  storedAt: message.time.toISOString(),
});

function stored(
  message: {
    subject: string;
    header: MsgHdrs;
    data: Uint8Array;
    seq: number;
  } | null,
): StoredMessage | undefined {
  if (message === null) return undefined;
  const { subject, header, data, seq } = message;
  return { subject, headers: headersFrom(header), body: data, sequence: seq };
}

function headersOf(named: Readonly<Record<string, string>>): MsgHdrs {
  const all = headers();
  for (const [name, value] of Object.entries(named)) all.set(name, value);
  return all;
}

/** Of a header that stands there twice the last one counts. */
const headersFrom = (all: MsgHdrs | undefined): Readonly<Record<string, string>> =>
  Object.fromEntries((all?.keys() ?? []).map((name) => [name, all?.last(name) ?? ""]));

/** What the client throws, by what the caller can do about it; anything else is nobody's fault but ours and stays as it is. */
function fleetError(error: unknown): unknown {
  const code = codeOf(error);
  return code === undefined ? error : new FleetError(code, textOf(error), { cause: error });
}

function codeOf(error: unknown): FleetErrorCode | undefined {
  if (error instanceof JetStreamApiError) {
    // 503: a leader is being elected; what was asked may happen all the same.
    return (
      API_CODES.get(error.code) ?? (error.status === 503 ? "FLEET_NO_ANSWER" : "FLEET_REFUSED")
    );
  }
  // Heartbeats that stay away, a consumer that was deleted.
  if (error instanceof JetStreamError) return "FLEET_READING_ENDED";
  if (error instanceof errors.PermissionViolationError) return "FLEET_FORBIDDEN";
  // No such stream, or none that has a leader now: only streamInfo() tells the one from the other.
  if (error instanceof errors.NoRespondersError) return "FLEET_NO_ANSWER";
  if (error instanceof errors.TimeoutError) return "FLEET_NO_ANSWER";
  if (error instanceof errors.InvalidArgumentError) return "FLEET_REFUSED";
  if (error instanceof errors.ClosedConnectionError) return "FLEET_NOT_CONNECTED";
  const cause = error instanceof Error ? error.cause : undefined;
  if (cause !== undefined) return codeOf(cause);
  return error instanceof errors.RequestError ? "FLEET_NOT_CONNECTED" : undefined;
}

const API_CODES: ReadonlyMap<number, FleetErrorCode> = new Map([
  [JetStreamApiCodes.StreamNotFound, "FLEET_NO_STREAM"],
  [JetStreamApiCodes.JetStreamNotEnabledForAccount, "FLEET_NO_STREAM"],
  [JetStreamApiCodes.ConsumerNotFound, "FLEET_READING_ENDED"],
  [JetStreamApiCodes.StreamWrongLastSequence, "FLEET_SEQUENCE_MOVED"],
  [JetStreamApiCodes.StreamWrongLastSequenceUnknown, "FLEET_SEQUENCE_MOVED"],
]);

const textOf = (error: unknown): string =>
  error instanceof Error && error.message !== ""
    ? error.message
    : errorCode(error) || "no reason was given";
