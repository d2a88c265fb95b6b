/**
 * One prefix to the wire through FRR: `node bench/frr.ts`: our backend, a bare vty socket and `vtysh -c` in turns, and `frr-reload.py`.
 *
 * From the change until the UPDATE is at a peer, against the same bgpd; ratios are of rounds beside each other, with their
 * spread, because a busy machine moves them all. bgpd itself holds every change for 50 ms. Then whole applies: 10,000 prefixes
 * from nothing, 1,000 neighbours, the same once more, and what reading back costs. `frr-reload.py` is Debian's package
 * frr-pythontools, which no set-up installs: without it its row says so.
 */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../backends/clock.ts";
import { openVty } from "../backends/frr/io/vty.ts";
import { openFrr, probeFrr } from "../backends/frr/open-frr.ts";
import type { SpeakerIntent } from "../backends/intent.ts";
import { asn } from "../events/ids.ts";
import { type Prefix, prefix } from "../events/prefix.ts";
import { neighbor, router, routes, speaker, to } from "../test/frr/intents.ts";
import { startFrrDaemons } from "../test/live/frr-daemons.ts";
import { makeNetwork } from "../test/live/netns.ts";
import { until } from "../test/live/until.ts";
import { median, print, type Row, SINK_AS } from "./subject.ts";

const ROUNDS = 60;
/** A reload takes most of a second. */
const RELOADS = 10;
const WARM_UP = 5;
const MANY = 10_000;
const NEIGHBORS = 1_000;
const PORT = 1790;
const RELOAD = "/usr/lib/frr/frr-reload.py";
const AS = 64512;

const quiet = (): void => undefined;
const logger = { debug: quiet, info: quiet, warn: console.error, error: console.error };
const signal = new AbortController().signal;

await using network = await makeNetwork(["host", "far"]);
const { host, far } = network.nodes;
await using daemons = await startFrrDaemons(host);
const program = join(import.meta.dirname, "sink-process.ts");
const sink = await far.start([process.execPath, program, `${SINK_AS}`, far.ipv4, `${PORT}`]);
await until(() => sink.stdout().includes("ready"), { what: "the far end" });
const arrivalOf = (count: number) => (): bigint | false =>
  BigInt(new RegExp(`^${count} (\\d+)$`, "m").exec(sink.stdout())?.[1] ?? 0) || false;
let announced = 0;
/** Milliseconds from `from` until one prefix more is there. */
async function arrival(from: bigint, more = 1): Promise<number> {
  announced += more;
  const what = `route ${announced}`;
  return (
    Number((await until(arrivalOf(announced), { what, everyMs: 5, timeoutMs: 60_000 })) - from) /
    1e6
  );
}

const place = { vtyDirectory: daemons.directory, pathspace: "", bfd: "bfdd" } as const;
const facts = await probeFrr({ ...place, clock: systemClock });
const backend = openFrr({
  ...place,
  clock: systemClock,
  logger,
  reveal: () => undefined,
  ours: new Set(),
  takeOver: "none",
  facts,
});
const peer = neighbor(far.ipv4, {
  remoteAs: { type: "asn", asn: asn(SINK_AS) },
  remote: { type: "address", address: far.ipv4 as never, port: PORT },
  families: ["ipv4"],
  connectRetrySeconds: 1,
});
const exports = to([peer.key]);
let intent: SpeakerIntent = speaker([
  router([peer], { routes: routes([exports, "198.18.0.0/32"]) }),
]);
function withMore(...texts: readonly Prefix[]): void {
  const [one] = intent.routers;
  if (one === undefined) throw new Error("no router");
  let next = one.routes;
  for (const text of texts) next = next.set(text, { prefix: text, exports, provenance: [] });
  intent = { ...intent, routers: [{ ...one, routes: next }] };
}
const begun = process.hrtime.bigint();
await backend.apply(intent, signal);
await arrival(begun);

const vty = openVty({ socketPath: join(daemons.directory, "bgpd.vty"), clock: systemClock });
const running = await vty.show("show running-config");
const map = /route-map (rutter-\d+) permit/.exec(running)?.[1];
if (map === undefined) throw new Error("bgpd has no class of routes");
const lines = (text: Prefix): string[] => [
  `router bgp ${AS}`,
  "address-family ipv4 unicast",
  `network ${text} route-map ${map}`,
  "exit-address-family",
  "exit",
];
const vtysh = (text: Prefix): readonly string[] =>
  ["configure terminal", ...lines(text)].flatMap((line) => ["-c", line]);
const reload = async (text: Prefix): Promise<void> => {
  const file = join(host.directory, "wanted.conf");
  const now = await vty.show("show running-config");
  const anchor = " address-family ipv4 unicast\n";
  writeFileSync(file, now.replace(anchor, `${anchor}  network ${text} route-map ${map}\n`));
  const places = { vty_socket: daemons.directory, bindir: "/usr/bin", confdir: host.directory };
  const named = Object.entries({ ...places, rundir: daemons.directory });
  const options = named.flatMap(([name, place]) => [`--${name}`, place]);
  const done = await host.run(["python3", RELOAD, "--reload", ...options, file]);
  if (done.code !== 0) throw new Error(`frr-reload.py: ${done.stderr}`);
};

const ways: Readonly<Record<string, (text: Prefix) => Promise<unknown>>> = {
  backend(text) {
    withMore(text);
    return backend.apply(intent, signal);
  },
  "vty socket": (text) => vty.configure(lines(text)),
  "vtysh -c": (text) => host.run(["vtysh", "--vty_socket", daemons.directory, ...vtysh(text)]),
};

let next = 1;
const fresh = (): Prefix => {
  next += 1;
  return prefix(`198.${18 + (next >> 16)}.${(next >> 8) & 255}.${next & 255}/32`);
};

/** A round of every way after the other, so that their ratios are of the same moments. */
async function measure(held: number): Promise<readonly Row[]> {
  const spent = new Map(Object.keys(ways).map((name) => [name, [] as number[]]));
  for (let round = 0; round < WARM_UP + ROUNDS; round += 1) {
    for (const [name, change] of Object.entries(ways)) {
      const text = fresh();
      const from = process.hrtime.bigint();
      await change(text);
      const took = await arrival(from);
      // Ours knows of no other's doings: what they added is in its intent, or the next check would take it back.
      withMore(text);
      if (round >= WARM_UP) spent.get(name)?.push(took);
    }
  }
  const bare = [...(spent.get("vty socket") ?? [])];
  return [...spent].map(([name, values]) => {
    const ratios = values.map((value, round) => value / (bare[round] ?? value));
    const part = (list: readonly number[], share: number): string =>
      (list.toSorted((a, b) => a - b)[Math.floor(share * (list.length - 1))] ?? 0).toFixed(2);
    return [
      name,
      held,
      ...[0.5, 0.99].map((share) => part(values, share)),
      ...[0.5, 0.1, 0.9].map((share) => part(ratios, share)),
    ];
  });
}

const timed = async (act: () => Promise<unknown>): Promise<number> => {
  const from = performance.now();
  await act();
  return performance.now() - from;
};
const rounded = (...values: readonly number[]): readonly string[] =>
  values.map((value) => value.toFixed(1));

const few = await measure(1);
withMore(...Array.from({ length: MANY }, (_, i) => prefix(`10.0.${i >> 8}.${i & 255}/32`)));
const from = process.hrtime.bigint();
const applied = await timed(() => backend.apply(intent, signal));
const arrived = await arrival(from, MANY);
const many = await measure(MANY);
const again = await timed(() => backend.apply({ ...intent }, signal));
const readings: number[] = [];
for (let i = 0; i < 20; i += 1) readings.push(await timed(() => vty.show("show running-config")));

const others = Array.from({ length: NEIGHBORS }, (_, i) =>
  neighbor(`203.0.${i >> 8}.${(i & 255) + 1}`, { families: ["ipv4"] }),
);
const [only] = intent.routers;
if (only === undefined) throw new Error("no router");
const crowd = { ...intent, routers: [{ ...only, neighbors: [peer, ...others] }] };
const neighbors = await timed(() => backend.apply(crowd, signal));
const oneMore = await timed(() =>
  backend.apply(
    { ...crowd, routers: [{ ...only, neighbors: [peer, ...others, neighbor("203.1.0.1")] }] },
    signal,
  ),
);

await backend.close("graceful");
// Behind our backend, which would put right what a whole file says otherwise.
const reloads: number[] = [];
for (let round = 0; existsSync(RELOAD) && round < RELOADS; round += 1) {
  const start = process.hrtime.bigint();
  await reload(fresh());
  reloads.push(await arrival(start));
}

print(["by", "held", "p50 ms", "p99 ms", "to bare p50", "p10", "p90"], [...few, ...many]);
print(
  [`${MANY}`, "apply ms", "at peer ms", "once more ms", "reading ms"],
  [["backend", ...rounded(applied, arrived, again, median(readings))]],
);
print(
  [`${NEIGHBORS}`, "apply ms", "one more ms"],
  [["neighbours", ...rounded(neighbors, oneMore)]],
);
if (reloads.length === 0) console.log("frr-reload.py: absent (Debian's frr-pythontools)");
else console.log(`frr-reload.py with ${MANY} held: ${median(reloads).toFixed(0)} ms`);
vty.close();
await sink.stop();
