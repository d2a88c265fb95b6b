/**
 * When BFD packets go out, and when a death is told: all subjects in the same moments against the same far end.
 *
 * Detection time is counted from the last packet to the subject until its Down arrives: all three send one at once. Reads
 * next: bfd-watch.ts (how it is counted), bfd-load.ts (what "busy" is).
 */
import { pause, until } from "../test/live/until.ts";
import { type Far, inNetwork, MULTIPLIER, sessionOf, settled, startFar } from "./bfd-far.ts";
import { startLoad } from "./bfd-load.ts";
import { start, SUBJECTS, type SubjectName } from "./bfd-subjects.ts";
import type { Seen } from "./bfd-watch.ts";

export const LOADS = ["idle", "busy"] as const;
export type LoadName = (typeof LOADS)[number];

export type TimingPlan = {
  /** Measured beside each other. */
  readonly subjects: readonly SubjectName[];
  readonly loads: readonly LoadName[];
  readonly intervalMillis: number;
  readonly deaths: number;
  /** How long packets are watched with nothing wrong. */
  readonly seconds: Readonly<Record<LoadName, number>>;
};

export type Timing = {
  readonly subject: SubjectName;
  readonly load: LoadName;
  readonly intervalMillis: number;
  /** With nothing wrong. */
  readonly calm: Seen;
  readonly detections: readonly number[];
  /** Full tables that the agent took meanwhile. */
  readonly tables: number;
};

/** Slow start, a start of Node beside busy loops, and a second for each packet at the slow rate. */
const UP_MILLIS = 60_000;
/** Up again at the slow rate, polls, detection. */
const DEATH_MILLIS = 20_000;

export function measureTiming(plan: TimingPlan): Promise<readonly Timing[]> {
  return inNetwork(["far", ...SUBJECTS, "host", "big"], async (nodes) => {
    const { subjects, intervalMillis } = plan;
    const far = await startFar(nodes.far);
    const local = nodes.far.ipv4;
    for (const subject of subjects) {
      const node = nodes[subject];
      await start[subject]({ node, local: node.ipv4, remotes: [local], intervalMillis });
    }
    const sessions = subjects.map((subject) =>
      sessionOf(local, nodes[subject].ipv4, intervalMillis),
    );
    await far.ask({ type: "hold", sessions });
    const results: Timing[] = [];
    for (const load of plan.loads) {
      await settled(far, subjects.length, UP_MILLIS);
      await using busy = load === "busy" ? await startLoad(nodes.host, nodes.big) : undefined;
      process.stderr.write(`${MULTIPLIER} x ${intervalMillis} ms, ${load}: nothing wrong\n`);
      await far.ask({ type: "reset" });
      await pause(plan.seconds[load] * 1000);
      const calm = await tell(far);
      process.stderr.write(`${MULTIPLIER} x ${intervalMillis} ms, ${load}: deaths\n`);
      await far.ask({ type: "reset" });
      for (const { key } of sessions) await far.ask({ type: "die", key, times: plan.deaths });
      await until(async () => (await far.ask({ type: "look" })).deathsLeft === 0, {
        what: "the last death",
        timeoutMs: plan.deaths * DEATH_MILLIS,
        everyMs: 200,
        explain: async () => JSON.stringify(await tell(far)),
      });
      const dead = await tell(far);
      for (const [i, subject] of subjects.entries()) {
        const [before, after] = [calm[i], dead[i]];
        if (before === undefined || after === undefined) throw new Error(`${subject} is not seen`);
        const { detections } = after;
        const tables = busy?.tables() ?? 0;
        results.push({ subject, load, intervalMillis, calm: before, detections, tables });
      }
    }
    return results;
  });
}

/** In the order in which sessions were asked for. */
const tell = async (far: Far): Promise<readonly Seen[]> =>
  (await far.ask({ type: "tell" })).seen.map(([, seen]) => seen);
