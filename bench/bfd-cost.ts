/**
 * What a BFD process costs with many sessions: CPU of all its threads and resident memory, all sessions Up.
 *
 * The far end has an address for each session behind one gateway, so that no neighbour table overflows, and the subject takes
 * them for its own link, as single hop asks. Reads next: bfd-subjects.ts.
 */
import { pause } from "../test/live/until.ts";
import { inNetwork, sessionOf, settled, startFar } from "./bfd-far.ts";
import { start, type SubjectName } from "./bfd-subjects.ts";
import { cpuNanos, type Memory, memoryOf } from "./process-cost.ts";

export type CostPlan = {
  readonly subject: SubjectName;
  readonly sessions: number;
  readonly intervalMillis: number;
  readonly seconds: number;
};

export type Cost = CostPlan &
  Memory & {
    /** Of one core. */
    readonly cpuPercent: number;
  };

const SUBJECT_ADDRESS = "10.200.128.1";
/** 1,000 sessions that come up at one packet a second. */
const UP_MILLIS = 60_000;

const farAddress = (index: number): string =>
  `10.200.${1 + Math.floor(index / 250)}.${1 + (index % 250)}`;

export function measureCost(plan: CostPlan): Promise<Cost> {
  const { subject, sessions, intervalMillis, seconds } = plan;
  process.stderr.write(`${sessions} sessions of ${subject}\n`);
  return inNetwork(["far", "near"], async ({ far: farNode, near }) => {
    await farNode.ip("route", "add", "local", "10.200.0.0/17", "dev", "lo");
    await farNode.ip("route", "add", `${SUBJECT_ADDRESS}/32`, "dev", "eth0");
    await near.ip("address", "add", `${SUBJECT_ADDRESS}/16`, "dev", "eth0", "noprefixroute");
    const gateway = ["via", farNode.ipv4, "src", SUBJECT_ADDRESS];
    await near.ip("route", "add", "10.200.0.0/17", ...gateway);
    const far = await startFar(farNode);
    const remotes = Array.from({ length: sessions }, (_, i) => farAddress(i));
    const local = SUBJECT_ADDRESS;
    const pid = await start[subject]({ node: near, local, remotes, intervalMillis });
    const held = remotes.map((remote) => sessionOf(remote, local, intervalMillis));
    await far.ask({ type: "hold", sessions: held });
    await settled(far, sessions, UP_MILLIS);
    const [before, from] = [cpuNanos(pid), process.hrtime.bigint()];
    await pause(seconds * 1000);
    const spent = cpuNanos(pid) - before;
    const cpuPercent = (100 * spent) / Number(process.hrtime.bigint() - from);
    return { ...plan, cpuPercent, ...memoryOf(pid) };
  });
}
