/**
 * A process with a FleetConnection in the namespace that it is started in, driven by JSON lines over a Unix socket.
 *
 * `node fleet-driver.ts SOCKET ACCESS-AS-JSON`. Each line is an order, each answer a line; nothing is asserted here. What the
 * seam has no word for (a subscription, a raw request) is done with the NATS client itself, as somebody would who wants more
 * than the agent does. Read next: fleet-client.ts (who starts and drives it).
 */
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { connect, nkeyAuthenticator } from "@nats-io/transport-node";
import {
  type FleetAccess,
  FleetError,
  type StoredMessage,
} from "../../agent/fleet/io/connection.ts";
import { signerFromSeed } from "../../agent/fleet/signing.ts";
import type { FleetState } from "../../agent/fleet/fleet-state.ts";
import { createPublisher } from "../../agent/fleet/io/publisher.ts";
import { connectFleet } from "../../agent/fleet/io/nats.ts";
import { systemClock } from "../../backends/clock.ts";
import type { ResourceKey } from "../../events/ids.ts";
import type { DriverMessage, DriverOrder } from "./fleet-client.ts";
import { readFileSync } from "node:fs";

const [, , socket = "", text = "{}"] = process.argv;
const access = JSON.parse(text) as FleetAccess;
const quiet = { info: () => {}, warn: () => {} };
const connection = connectFleet(access, systemClock, quiet);
const readings = new Map<string, { messages: DriverMessage[]; ended: string | undefined }>();
const stops: AbortController[] = [];

const shown = (message: StoredMessage): DriverMessage => ({
  subject: message.subject,
  headers: message.headers,
  body: Buffer.from(message.body).toString("base64"),
  sequence: message.sequence,
});

function read({ name, ...order }: Extract<DriverOrder, { do: "read" }>): void {
  const kept: { messages: DriverMessage[]; ended: string | undefined } = {
    messages: [],
    ended: undefined,
  };
  readings.set(name, kept);
  const stop = new AbortController();
  stops.push(stop);
  const onMessage = (message: StoredMessage): void => void kept.messages.push(shown(message));
  connection.read({ ...order.reading, onMessage }, stop.signal).then(
    () => (kept.ended = "stopped"),
    (error: unknown) => (kept.ended = codeOf(error)),
  );
}

const codeOf = (error: unknown): string =>
  error instanceof FleetError ? error.code : String(error);

/** What a plain client is told: `done`, or the server's words. */
async function raw({ act, subject, body }: Extract<DriverOrder, { do: "raw" }>): Promise<string> {
  const seed = access.seed === undefined ? undefined : readFileSync(access.seed, "utf8").trim();
  const nc = await connect({
    servers: [...access.servers],
    inboxPrefix: access.inbox,
    ...(seed === undefined
      ? {}
      : { authenticator: nkeyAuthenticator(new TextEncoder().encode(seed)) }),
  });
  let said = "done";
  const statuses = (async () => {
    for await (const status of nc.status())
      if (status.type === "error") said = status.error.message;
  })();
  try {
    if (act === "subscribe") nc.subscribe(subject);
    else if (act === "publish") nc.publish(subject, body ?? "");
    else said = (await nc.request(subject, body ?? "", { timeout: 2000 })).string();
    await nc.flush();
  } catch (error) {
    said = error instanceof Error ? error.message : String(error);
  } finally {
    await nc.close();
    await statuses;
  }
  return said;
}

/** One set after another, each with `each` Services of `services`, which come and change; every tenth set deletes one. */
async function publishMany(order: Extract<DriverOrder, { do: "publish-many" }>): Promise<number> {
  const { fleet, seed, sets, each, services } = order;
  const signer = signerFromSeed(readFileSync(seed, "utf8"));
  const publisher = createPublisher({
    fleet,
    connection,
    signer,
    trust: [{ key: signer.publicKey }],
    consumer: "many",
    clock: systemClock,
    signal: AbortSignal.timeout(order.timeoutMillis),
  });
  let generation = 0;
  for (let i = 0; i < sets; i += 1) {
    const names = Array.from({ length: each }, (_, k) => `s${(i * each + k) % services}`);
    const puts = names.map((name) => ({
      apiVersion: "v1",
      kind: "Service",
      metadata: { name, namespace: "default" },
      spec: { type: "LoadBalancer", ports: [{ port: 1 + (i % 60_000) }] },
    }));
    const gone = `/Service/default/s${(i * each + each) % services}` as ResourceKey;
    const change = (state: FleetState) => ({
      puts,
      deletes: i % 10 === 9 && state.puts.has(gone) ? [gone] : [],
    });
    const done = await publisher.publish(change, false);
    if (done.type === "refused") throw new Error(JSON.stringify(done.refusals));
    if (done.type === "set") ({ generation } = done.set);
  }
  return generation;
}

async function obey(order: DriverOrder): Promise<unknown> {
  switch (order.do) {
    case "connected":
      return connection.connected();
    case "state":
      return connection.state();
    case "publish":
      return connection.publish({
        ...order.message,
        body: Buffer.from(order.message.body, "base64"),
      });
    case "read":
      return read(order);
    case "messages":
      return readings.get(order.name);
    case "last": {
      const found = await connection.lastOfSubject(order.stream, order.subject);
      return found && shown(found);
    }
    case "at": {
      const found = await connection.at(order.stream, order.sequence);
      return found && shown(found);
    }
    case "info":
      return connection.streamInfo(order.stream);
    case "stream":
      return connection.ensureStream(order.spec);
    case "bucket":
      return connection.ensureBucket(order.spec);
    case "put":
      return connection.kvPut(order.bucket, order.key, order.value);
    case "raw":
      return raw(order);
    case "publish-many":
      return publishMany(order);
    case "stop":
      for (const stop of stops) stop.abort();
      return connection.close();
    default:
      throw new Error("no such order");
  }
}

createServer((line) => {
  createInterface({ input: line }).on("line", (request) => {
    const { id, order } = JSON.parse(request) as { id: number; order: DriverOrder };
    void obey(order)
      .then(
        (answer) => ({ id, answer: answer ?? null }),
        (error: unknown) => ({ id, error: codeOf(error), message: String(error) }),
      )
      .then((answer) => line.write(`${JSON.stringify(answer)}\n`));
  });
  line.on("error", () => {});
}).listen(socket, () => console.log("ready"));
