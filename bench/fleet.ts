/**
 * Publish to wire: `node bench/fleet.ts [AGENTS …]`, by default 1 10: so many agents on one real nats-server.
 *
 * Each round publishes a change set with one more Service. Measured from the call that decides, signs and publishes it: until the
 * server has it on its disk, until the UPDATE is at an agent's peer (of all agents, and the last one's), and what of that is
 * between the two. In the same run: the same Service through the agent's own API to its peer, which is what the fleet adds to.
 * Figures of ROUNDS changes in RUNS runs; they hang on the machine.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createPublisher, type Publisher } from "../agent/fleet/io/publisher.ts";
import { connectFleet } from "../agent/fleet/io/nats.ts";
import { newSeed, type Signer, signerFromSeed } from "../agent/fleet/signing.ts";
import { readFleetManifests } from "../agent/fleet/read-manifests.ts";
import { systemClock } from "../backends/clock.ts";
import {
  advertisementManifest,
  ALWAYS,
  documents,
  peerManifest,
  poolManifest,
  serviceManifest,
} from "../test/live/manifests.ts";
import { alone } from "./alone.ts";
import { openSink, type Sink } from "./sink.ts";
import { createSubject, HOST_AS, median, print, type Row, SINK_AS } from "./subject.ts";

const RUNS = 3;
const ROUNDS = 200;
const WARM_UP = 20;
const SERVER = "nats://127.0.0.1:4222";
const FLEET = "bench";
const PROGRAM = join(import.meta.dirname, "../agent/main.ts");

alone();
type Ended = { readonly end: () => Promise<void> };

async function measure(agents: number): Promise<Row> {
  const directory = mkdtempSync(join(tmpdir(), "rutter-bench-"));
  const signer = signerFromSeed(newSeed("user"));
  const sinks = await Promise.all(Array.from({ length: agents }, () => openSink(SINK_AS)));
  const running: Ended[] = [];
  try {
    running.push(await startServer(directory));
    const { publisher, close } = await openPublisher(signer);
    running.push({ end: close });
    const apply = publishing(publisher);
    await apply(documents(poolManifest(["10.0.0.0/16"]), advertisementManifest(), ...peers(sinks)));
    for (let i = 0; i < agents; i += 1) running.push(await startAgent(directory, i, signer));
    const stored: number[] = [];
    const wire: number[] = [];
    const last: number[] = [];
    const after: number[] = [];
    for (let round = 0; round < WARM_UP + ROUNDS; round += 1) {
      const arrivals = sinks.map((sink) => sink.reaches(sink.announced() + 1));
      const start = performance.now();
      const answer = apply(serviceManifest(`s${round}`)).then(() => performance.now());
      const [done, ...moments] = await Promise.all([answer, ...arrivals]);
      if (round < WARM_UP) continue;
      const latest = Math.max(...moments);
      stored.push(done - start);
      wire.push(...moments.map((at) => at - start));
      last.push(latest - start);
      after.push(latest - done);
    }
    const own = agents === 1 ? await ownWay() : [];
    const figures = [
      median(stored),
      part(wire, 0.5),
      part(wire, 0.99),
      part(wire, 1),
      median(last),
      part(last, 0.99),
      median(after),
      ...(own.length === 0
        ? [0, 0, 0]
        : [median(own), part(own, 0.99), median(wire) / median(own)]),
    ];
    return [agents, ...figures.map((one) => one.toFixed(2))];
  } finally {
    for (const one of running.toReversed()) await one.end();
    for (const sink of sinks) sink.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

function part(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
}

/** The agent's own API, same Service, same sink: from sending the request to the UPDATE. */
async function ownWay(): Promise<readonly number[]> {
  const sink = await openSink(SINK_AS);
  const subject = createSubject();
  const wire: number[] = [];
  try {
    await subject.start();
    await subject.fill(0);
    await subject.peerWith(sink);
    for (let round = 0; round < WARM_UP + ROUNDS; round += 1) {
      const arrival = sink.reaches(sink.announced() + 1);
      const start = performance.now();
      const answer = subject.apply(serviceManifest(`s${round}`));
      wire.push((await arrival) - start);
      await answer;
    }
    return wire.slice(WARM_UP);
  } finally {
    await subject.remove();
    sink.close();
  }
}

/** One peer an agent, told apart by its node's name. */
const peers = (sinks: readonly Sink[]): readonly string[] =>
  sinks.map(({ port }, i) =>
    peerManifest({
      name: `sink${i}`,
      localAs: HOST_AS,
      remoteAs: SINK_AS,
      address: "127.0.0.1",
      extra: [
        `peerPort: ${port}`,
        `nodeSelectors: [{ matchLabels: { kubernetes.io/hostname: host${i} } }]`,
      ],
    }),
  );

async function startServer(directory: string): Promise<Ended> {
  const config = join(directory, "nats.conf");
  writeFileSync(
    config,
    `host: 127.0.0.1\nport: 4222\njetstream { store_dir: "${join(directory, "jetstream")}" }\n`,
  );
  const child = spawn("/usr/sbin/nats-server", ["-c", config], { stdio: "ignore" });
  while (!(await answers(4222))) await rest(10);
  return ending(child);
}

const rest = (millis: number): Promise<void> =>
  new Promise((resolve) => {
    systemClock.after(millis, resolve);
  });

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = createConnection(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });

const ending = (child: ReturnType<typeof spawn>): Ended => ({
  end: () =>
    new Promise((resolve) => {
      child.once("exit", () => resolve());
      child.kill("SIGKILL");
    }),
});

async function openPublisher(
  signer: Signer,
): Promise<{ readonly publisher: Publisher; readonly close: () => Promise<void> }> {
  const connection = connectFleet(
    { servers: [SERVER], name: "bench", inbox: "_INBOX.bench" },
    systemClock,
    { info: () => undefined, warn: () => undefined },
  );
  const publisher = createPublisher({
    fleet: FLEET,
    connection,
    signer,
    trust: [{ key: signer.publicKey }],
    consumer: "bench",
    clock: systemClock,
    signal: new AbortController().signal,
  });
  await publisher.ensureStreams(1);
  return { publisher, close: () => connection.close() };
}

const publishing =
  (publisher: Publisher) =>
  async (text: string): Promise<void> => {
    const { puts } = readFleetManifests([{ name: "bench.yaml", text }], FLEET, []);
    const done = await publisher.publish(() => ({ puts, deletes: [] }), false);
    if (done.type !== "set") throw new Error(`published: ${JSON.stringify(done)}`);
  };

/** Resolves when its session is up: everything that was published is at the sink by then, or comes. */
async function startAgent(directory: string, index: number, signer: Signer): Promise<Ended> {
  const file = (name: string): string => join(directory, `${name}${index}`);
  // Several agents in one namespace leave its kernel alone.
  writeFileSync(
    file("agent"),
    `node: { name: host${index} }
${ALWAYS}kernel: { bindAddresses: never }
fleet: { name: ${FLEET}, servers: ["${SERVER}"], trust: [{ key: ${signer.publicKey} }] }
`,
  );
  const listen = `127.0.0.1:${index + 1}`;
  const options = ["--state", file("state"), "--socket", file("api.sock")];
  const child = spawn(
    process.execPath,
    [PROGRAM, "agent", ...options, "--config", file("agent"), "--listen", listen],
    { stdio: ["ignore", "pipe", "ignore"] },
  );
  await new Promise((resolve) => {
    child.stdout.once("data", resolve);
  });
  return ending(child);
}

const asked = process.argv.slice(2).map(Number);
const rows: Row[] = [];
for (const agents of asked.length > 0 ? asked : [1, 10]) {
  for (let run = 0; run < RUNS; run += 1) rows.push(await measure(agents));
}
print(
  ["agents", "stored p50", "wire p50", "wire p99", "wire max", "last p50", "last p99"].concat([
    "after p50",
    "own p50",
    "own p99",
    "ratio",
  ]),
  rows,
);
