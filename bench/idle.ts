/**
 * What a resting host pays: `node bench/idle.ts [SECONDS [PROGRAM]]`, by default 60 seconds three times over, twice.
 *
 * Two peers, 100 prefixes announced to both, and then nothing but keepalives: processor time and memory of the agent beside
 * BIRD, FRR's daemons and gobgpd at the same time, each in a namespace of its own; then once more with BFD at 300 ms, where the
 * BFD process has a line of its own (gobgpd has no BFD). `checking` is an agent whose Services have a program on this host
 * that listens, which it looks at. Ratios are to BIRD within one window, with their spread. PROGRAM is another
 * agent/main.ts, such as the bundle of a package. Reads next: idle-subjects.ts.
 */
import { startBird } from "../test/live/bird.ts";
import { makeNetwork, type Network } from "../test/live/netns.ts";
import { pause, until } from "../test/live/until.ts";
import {
  atRest,
  birdBfd,
  FAR_AS,
  NEAR_AS,
  PREFIXES,
  type Resting,
  subjects,
} from "./idle-subjects.ts";
import { cpuNanos, memoryOf, turns } from "./process-cost.ts";
import { median, print, type Row } from "./subject.ts";

const [seconds = "60", program] = process.argv.slice(2);
const WINDOWS = 3;
/** After the last change: what a start leaves to be done (agent/rest.ts, a first rescan) is no rest yet. */
const SETTLE_MILLIS = 45_000;

const PEERS = ["far1", "far2"] as const;
type Names = (typeof PEERS)[number] | "rutter" | "checking" | "bird" | "frr" | "gobgp";

for (const bfd of [false, true]) {
  console.log(bfd ? `\nWith BFD at 300 ms` : `Without BFD`);
  print(
    ["process", "% of core", "lowest", "highest", "to bird", "lowest", "highest", "turns/s"].concat(
      ["RSS MiB", "PSS MiB"],
    ),
    await measure(bfd),
  );
}

async function measure(bfd: boolean): Promise<readonly Row[]> {
  const starts = Object.entries(subjects(program));
  const names: Names[] = [...PEERS, "rutter", "checking", "bird", "frr", "gobgp"];
  await using network = await makeNetwork(names);
  const { nodes } = network;
  await startPeers(network, bfd);
  const peers = PEERS.map((name) => nodes[name]);
  await nodes.checking.start(["python3", "-m", "http.server", "80"]);
  const resting: Resting[] = [];
  for (const [name, start] of starts) {
    resting.push(...(await start(nodes[name as Names], peers, bfd)));
  }
  await Promise.all(PEERS.map((peer) => announcedAll(network, peer, starts.length)));
  await pause(SETTLE_MILLIS);
  return await windows(resting);
}

/** The far ends: BIRD, which says nothing of its own but keepalives. */
async function startPeers({ nodes }: Network<Names>, bfd: boolean): Promise<void> {
  const { far1: _one, far2: _two, ...near } = nodes;
  for (const name of PEERS) {
    const node = nodes[name];
    const router = await startBird(node, {
      asn: FAR_AS,
      routerId: node.ipv4,
      ...(bfd ? { raw: birdBfd } : {}),
      neighbours: Object.values(near).map((one) => ({
        name: `to_${one.name}`,
        address: one.ipv4,
        asn: NEAR_AS,
        families: ["ipv4"],
        raw: bfd && one.name !== "gobgp" ? ["bfd on;"] : [],
      })),
    });
    await atRest(node, router);
  }
}

async function announcedAll(
  { nodes }: Network<Names>,
  peer: (typeof PEERS)[number],
  subjectCount: number,
): Promise<void> {
  const wanted = PREFIXES * subjectCount;
  const socket = `${nodes[peer].directory}/bird.ctl`;
  const ask = async (what: string): Promise<string> =>
    (await nodes[peer].run(["birdc", "-s", socket, ...`show ${what}`.split(" ")])).stdout;
  const learned = () => ask("route where source = RTS_BGP count");
  await until(async () => (await learned()).includes(`\n${wanted} of `), {
    what: `${wanted} routes at ${peer}`,
    timeoutMs: 20_000,
    explain: async () => (await ask("protocols")) + (await learned()),
  });
}

async function windows(resting: readonly Resting[]): Promise<readonly Row[]> {
  const shares = resting.map(() => [] as number[]);
  const [pids, woken] = [resting.map(({ pid }) => pid), resting.map(({ pid }) => turns(pid))];
  for (let window = 0; window < WINDOWS; window += 1) {
    const [before, from] = [pids.map(cpuNanos), process.hrtime.bigint()];
    await pause(Number(seconds) * 1000);
    const took = Number(process.hrtime.bigint() - from);
    for (const [i, pid] of pids.entries()) {
      shares[i]?.push((100 * (cpuNanos(pid) - (before[i] ?? 0))) / took);
    }
  }
  const bird = shares[resting.findIndex(({ name }) => name === "bird")] ?? [];
  const spread = (values: readonly number[], digits: number): readonly string[] =>
    [median(values), Math.min(...values), Math.max(...values)].map((one) => one.toFixed(digits));
  return resting.map(({ name, pid }, i) => {
    const own = shares[i] ?? [];
    const ratios = own.map((share, window) => share / (bird[window] ?? share));
    const { residentMib, proportionalMib } = memoryOf(pid);
    const perSecond = (turns(pid) - (woken[i] ?? 0)) / (WINDOWS * Number(seconds));
    return [
      name,
      ...spread(own, 4),
      ...spread(ratios, 1),
      perSecond.toFixed(1),
      residentMib.toFixed(1),
      proportionalMib.toFixed(1),
    ];
  });
}
