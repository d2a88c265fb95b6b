/**
 * gobgpd's gRPC API: the one door of @grpc/grpc-js. Calls with deadlines, the version's dialect found out, reconnection.
 *
 * The channel reconnects by itself with a back-off. Every failure is a BackendError; nothing is tried twice here, because who
 * calls is level-triggered. Never decides what is asked. Reads next: ../api/gobgp.proto, ../gobgp-backend.ts.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  type ChannelCredentials,
  Client,
  type ClientReadableStream,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import { loadSync, type MethodDefinition } from "@grpc/proto-loader";
import { BackendError } from "../../backend.ts";
import type { Streamed, Unary } from "../api/calls.ts";
import { type Dialect, DIALECTS, type OwnPath, type WatchEvent } from "../api/messages.ts";

export type GobgpAddress = {
  /** `unix:/path`, or `host:port`. */
  readonly address: string;
  /** Files in PEM; `certificate` and `key` where gobgpd asks for one of ours. undefined: no TLS. */
  readonly tls:
    | { readonly ca?: string; readonly certificate?: string; readonly key?: string }
    | undefined;
};

export interface GobgpClient {
  /** Finds out which version answers, once for each connection. */
  dialect(): Promise<Dialect>;
  call<K extends keyof Unary>(method: K, request: Unary[K][0]): Promise<Unary[K][1]>;
  /** All of a stream, at most STREAM_LIMIT messages. */
  list<K extends keyof Streamed>(
    method: K,
    request: Streamed[K][0],
  ): Promise<readonly Streamed[K][1][]>;
  /** A stream as it comes; who stops reading ends it. */
  walk<K extends keyof Streamed>(method: K, request: Streamed[K][0]): AsyncIterable<Streamed[K][1]>;
  /** Own paths, in batches of one message each; resolves when gobgpd has taken all. */
  addPaths(batches: readonly (readonly OwnPath[])[]): Promise<void>;
  /** Peers' events and changed best paths until the stream ends, which is told once. The returned function ends it silently. */
  watch(onEvent: (event: WatchEvent) => void, onEnd: (error: BackendError) => void): () => void;
  /** After a failure: the next call asks anew which version answers, and does not wait for the channel's back-off. */
  forget(): void;
  close(): void;
}

/** gobgpd answers in a millisecond; one that is stopped (SIGSTOP) is told within 3 s with the pause between two looks. */
const DEADLINE_MILLIS = 1500;
/** Policies and sets, also with long prefix lists on a busy host. */
const LIST_DEADLINE_MILLIS = 5000;
/** Of a whole stream: 10,000 paths are taken in 0.1 s, a full table is listed in some 10 s. */
const STREAM_DEADLINE_MILLIS = 30_000;
/** One answer; a full table is a stream of small ones. */
const ANSWER_OCTETS = 64 * 1024 * 1024;
/** Peers, policies and sets of one gobgpd; paths are walked instead. */
const STREAM_LIMIT = 1_000_000;
const BACK_OFF_MILLIS = { first: 100, most: 1000 };

const PROTO = fileURLToPath(new URL("../api/gobgp.proto", import.meta.url));
type Method = MethodDefinition<object, object>;

function loadMethods(): Readonly<Record<string, Method>> {
  const { service } = { service: loadSync(PROTO, LOADING)["apipb.GobgpApi"] };
  if (service === undefined) throw new Error("gobgp.proto has no service");
  return service as unknown as Readonly<Record<string, Method>>;
}
const LOADING = {
  keepCase: true,
  longs: Number,
  enums: Number,
  defaults: true,
  oneofs: true,
} as const;

export function openClient(where: GobgpAddress): GobgpClient {
  const methods = loadMethods();
  const client = new Client(where.address, credentialsOf(where), {
    "grpc.initial_reconnect_backoff_ms": BACK_OFF_MILLIS.first,
    "grpc.min_reconnect_backoff_ms": BACK_OFF_MILLIS.first,
    "grpc.max_reconnect_backoff_ms": BACK_OFF_MILLIS.most,
    "grpc.max_receive_message_length": ANSWER_OCTETS,
    // A proxy of the environment is for the outside world, not for the speaker of this host.
    "grpc.enable_http_proxy": 0,
  });
  let known: Promise<Dialect> | undefined;

  const method = (name: string): Method => {
    const found = methods[name];
    if (found === undefined) throw new Error(`gobgp.proto has no ${name}`);
    return found;
  };
  const pathOf = (dialect: Dialect, name: string): string => `/${dialect.service}/${name}`;
  const options = (millis: number) => ({ deadline: Date.now() + millis });

  const unary = (dialect: Dialect, name: string, request: object): Promise<object> =>
    new Promise((resolve, reject) => {
      const { requestSerialize, responseDeserialize } = method(name);
      client.makeUnaryRequest(
        pathOf(dialect, name),
        requestSerialize,
        responseDeserialize,
        request,
        new Metadata(),
        options(DEADLINE_MILLIS),
        (error, answer) => {
          if (error !== null) reject(error);
          else resolve(answer ?? {});
        },
      );
    });

  const find = async (): Promise<Dialect> => {
    const [older, newer] = DIALECTS;
    try {
      await unary(older, "GetBgp", {});
      return older;
    } catch (error) {
      if (isAnswer(error)) return older;
      if (codeOf(error) !== status.UNIMPLEMENTED) throw error;
    }
    await unary(newer, "GetBgp", {}).catch((error: unknown) => {
      if (!isAnswer(error)) throw error;
    });
    return newer;
  };
  const dialect = (): Promise<Dialect> => {
    known ??= find().catch((error: unknown) => {
      known = undefined;
      throw failure("GetBgp", error);
    });
    return known;
  };

  const open = (of: Dialect, name: string, request: object, millis: number | undefined) => {
    const { requestSerialize, responseDeserialize } = method(name);
    return client.makeServerStreamRequest(
      pathOf(of, name),
      requestSerialize,
      responseDeserialize,
      request,
      new Metadata(),
      millis === undefined ? {} : options(millis),
    );
  };

  async function* walk(name: string, request: object): AsyncGenerator<object> {
    const stream = open(await dialect(), name, request, STREAM_DEADLINE_MILLIS);
    try {
      for await (const message of stream) yield message as object;
    } catch (error) {
      throw failure(name, error);
    } finally {
      cancel(stream);
    }
  }

  return {
    dialect,
    async call(name, request) {
      const of = await dialect();
      try {
        return await unary(of, name, request);
      } catch (error) {
        throw failure(name, error);
      }
    },
    async list(name, request) {
      const of = await dialect();
      const found: object[] = [];
      const stream = open(
        of,
        name,
        request,
        name === "ListPeer" ? DEADLINE_MILLIS : LIST_DEADLINE_MILLIS,
      );
      try {
        for await (const message of stream) {
          found.push(message as object);
          if (found.length > STREAM_LIMIT) throw new Error(`more than ${STREAM_LIMIT} answers`);
        }
      } catch (error) {
        throw failure(name, error);
      } finally {
        cancel(stream);
      }
      return found as never;
    },
    walk: (name, request) => walk(name, request) as never,
    async addPaths(batches) {
      const of = await dialect();
      const { requestSerialize, responseDeserialize } = method("AddPathStream");
      await new Promise<void>((resolve, reject) => {
        const stream = client.makeClientStreamRequest(
          pathOf(of, "AddPathStream"),
          requestSerialize,
          responseDeserialize,
          new Metadata(),
          options(STREAM_DEADLINE_MILLIS),
          (error) => {
            if (error === null) resolve();
            else reject(failure("AddPathStream", error));
          },
        );
        for (const paths of batches) stream.write({ table_type: 0, paths });
        stream.end();
      });
    },
    watch(onEvent, onEnd) {
      let stream: ClientReadableStream<object> | undefined;
      let ended = false;
      const end = (error: unknown): void => {
        if (ended) return;
        ended = true;
        onEnd(error instanceof BackendError ? error : failure("WatchEvent", error));
      };
      void dialect().then((of) => {
        if (ended) return;
        const request = { peer: {}, table: { filters: [{ type: of.first, init: false }] } };
        stream = open(of, "WatchEvent", request, undefined);
        stream.on("data", (event: object) => {
          if (!ended) onEvent(event);
        });
        stream.on("error", end);
        stream.on("end", () => end(new Error("the stream of events ended")));
      }, end);
      return () => {
        ended = true;
        if (stream !== undefined) cancel(stream);
      };
    },
    forget() {
      known = undefined;
      client.getChannel().getConnectivityState(true);
    },
    close() {
      client.close();
    },
  };
}

/** A cancelled stream says so as an error, which is nobody's news. */
function cancel(stream: ClientReadableStream<object>): void {
  stream.on("error", () => undefined);
  stream.cancel();
}

function credentialsOf({ tls }: GobgpAddress): ChannelCredentials {
  if (tls === undefined) return credentials.createInsecure();
  const file = (path: string | undefined) => (path === undefined ? null : readFileSync(path));
  return credentials.createSsl(file(tls.ca), file(tls.key), file(tls.certificate));
}

const codeOf = (error: unknown): status | undefined => (error as Partial<ServiceError>).code;

/** Where BGP was not started yet, GetBgp may be refused, by a gobgpd that knows the call. */
const isAnswer = (error: unknown): boolean => codeOf(error) === status.UNKNOWN;

/** gRPC's failure in the seam's words. */
function failure(method: string, error: unknown): BackendError {
  const details = (error as Partial<ServiceError>).details ?? (error as Error).message;
  const code = codeOf(error);
  if (code === status.UNAVAILABLE || code === status.CANCELLED) {
    return new BackendError("SPEAKER_UNREACHABLE", `gobgpd cannot be reached: ${details}`, {
      cause: error,
    });
  }
  if (code === status.DEADLINE_EXCEEDED) {
    return new BackendError("SPEAKER_TIMEOUT", "gobgpd does not answer", { cause: error });
  }
  return new BackendError("SPEAKER_REFUSED", `gobgpd refuses ${method}: ${details}`, {
    cause: error,
  });
}
