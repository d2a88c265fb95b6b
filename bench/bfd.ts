/**
 * BFD beside FRR's bfdd and BIRD: `node bench/bfd.ts [--quick]`, by default 3 × 300, 3 × 50 and 3 × 10 ms, idle and busy.
 *
 * From the last packet of a far end that dies until the Down is there; gaps between the packets that arrive, a minute of them
 * beside busy loops and an agent that takes full tables; Downs in that minute, in which nothing was wrong; CPU and memory for
 * 1, 100 and 1,000 sessions. All subjects of a row meet the same far end and load at the same time (`--apart`: one after the
 * other). Figures hang on the machine, ratios less so. Reads next: bfd-timing.ts, bfd-cost.ts.
 */
import { parseArgs } from "node:util";
import { lacking } from "../test/probes.ts";
import { type Cost, measureCost } from "./bfd-cost.ts";
import { MULTIPLIER } from "./bfd-far.ts";
import { SUBJECTS, type SubjectName } from "./bfd-subjects.ts";
import { type LoadName, LOADS, measureTiming, type Timing } from "./bfd-timing.ts";
import { print, type Row } from "./subject.ts";

const COST_INTERVAL_MILLIS = 300;
const list = { type: "string" } as const;
const { values: options } = parseArgs({
  options: {
    /** To see that it works; its tails mean nothing. */
    quick: { type: "boolean", default: false },
    apart: { type: "boolean", default: false },
    subjects: { ...list, default: SUBJECTS.join() },
    intervals: { ...list, default: "300,50,10" },
    loads: { ...list, default: LOADS.join() },
    sessions: { ...list, default: "1,100,1000" },
  },
});
const { quick } = options;
const numbers = (text: string): number[] => text.split(",").map(Number).filter(Boolean);
const chosen = <T extends string>(all: readonly T[], text: string): T[] =>
  all.filter((one) => text.split(",").includes(one));

const PROBES = { rutter: "netns", bfdd: "frr", bird: "bird" } as const;
const subjects = chosen(SUBJECTS, options.subjects).filter((subject) => {
  const absent = lacking(PROBES[subject]);
  if (absent !== undefined) console.log(`${subject} is absent: ${absent}`);
  return absent === undefined;
});
const groups = options.apart ? subjects.map((subject) => [subject]) : [subjects];

const timings: Timing[] = [];
for (const intervalMillis of numbers(options.intervals)) {
  for (const group of groups) {
    const plan = {
      subjects: group,
      loads: chosen(LOADS, options.loads),
      intervalMillis,
      deaths: quick ? 5 : intervalMillis > 100 ? 15 : 30,
      seconds: quick ? { idle: 5, busy: 10 } : { idle: 20, busy: 60 },
    };
    timings.push(...(await measureTiming(plan)));
  }
}
type Case = { readonly intervalMillis: number; readonly load: LoadName };
const cases: readonly Case[] = numbers(options.intervals).flatMap((intervalMillis) =>
  chosen(LOADS, options.loads).map((load) => ({ intervalMillis, load })),
);
const timingOf = (subject: SubjectName, { intervalMillis, load }: Case): Timing | undefined =>
  timings.find(
    (one) => one.subject === subject && one.intervalMillis === intervalMillis && one.load === load,
  );
const costOf = (subject: SubjectName, sessions: number): Cost | undefined =>
  costs.find((one) => one.subject === subject && one.sessions === sessions);
const title = ({ intervalMillis, load }: Case): readonly string[] => [
  `${MULTIPLIER} x ${intervalMillis}`,
  load,
];

console.log("\nDetection, ms from the last packet; shares of the negotiated time");
print(
  ["", "", "", "count", "p50", "p99", "lowest", "highest", "p50 share", "p99 share"],
  cases.flatMap((one) => subjects.map((subject) => detectionRow(subject, one))),
);
console.log(
  "\nGaps between packets, ms; false Downs of the subject, and of its far end for silence",
);
print(
  ["", "", "", "count", "p50", "p99", "p99.9", "highest", "Downs", "far Downs", "far's pause"],
  cases.flatMap((one) => subjects.map((subject) => gapRow(subject, one))),
);
const tables = timings.filter(({ tables }) => tables > 0).map(({ tables }) => tables);
if (tables.length > 0) console.log(`full tables taken meanwhile: ${[...new Set(tables)].join()}`);
const others = subjects.filter((subject) => subject !== "rutter");
console.log("\nOurs by theirs");
print(
  ["", "", "", "detect p50", "detect p99", "gap p99", "gap p99.9"],
  cases.flatMap((one) => others.map((other) => timingRatio(other, one))),
);

const costs: Cost[] = [];
for (const sessions of numbers(options.sessions)) {
  for (const subject of subjects) {
    const seconds = quick ? 3 : 10;
    costs.push(
      await measureCost({ subject, sessions, intervalMillis: COST_INTERVAL_MILLIS, seconds }),
    );
  }
}

console.log(`\nCPU in percent of a core, memory in MiB, at ${COST_INTERVAL_MILLIS} ms`);
print(
  ["", "sessions", "CPU", "resident", "PSS"],
  numbers(options.sessions).flatMap((sessions) =>
    subjects.map((subject) => costRow(subject, sessions)),
  ),
);
console.log("\nOurs by theirs");
print(
  ["", "sessions", "CPU", "resident", "PSS"],
  numbers(options.sessions).flatMap((sessions) => others.map((one) => costRatio(one, sessions))),
);

function detectionRow(subject: SubjectName, one: Case): Row {
  const { detections = [] } = timingOf(subject, one) ?? {};
  const [p50, p99] = [quantile(detections, 0.5), quantile(detections, 0.99)];
  const negotiated = MULTIPLIER * one.intervalMillis;
  const [lowest, highest] = [Math.min(...detections), Math.max(...detections)];
  const shares = [p50, p99].map((ms) => (ms / negotiated).toFixed(3));
  return [
    subject,
    ...title(one),
    detections.length,
    ...[p50, p99, lowest, highest].map(shown),
    ...shares,
  ];
}

function gapRow(subject: SubjectName, one: Case): Row {
  const calm = timingOf(subject, one)?.calm;
  const gaps = calm?.gaps ?? [];
  return [
    subject,
    ...title(one),
    gaps.length,
    ...[0.5, 0.99, 0.999, 1].map((share) => shown(quantile(gaps, share))),
    calm?.falseDowns ?? "-",
    calm?.silences ?? "-",
    shown(calm?.longestPause ?? Number.NaN),
  ];
}

function costRow(subject: SubjectName, sessions: number): Row {
  const cost = costOf(subject, sessions);
  if (cost === undefined) return [subject, sessions];
  const { cpuPercent, residentMib, proportionalMib } = cost;
  return [subject, sessions, ...[cpuPercent, residentMib, proportionalMib].map(shown)];
}

function timingRatio(other: SubjectName, one: Case): Row {
  const ours = timingOf("rutter", one);
  const theirs = timingOf(other, one);
  const by = (of: (timing: Timing) => readonly number[], share: number): string =>
    ratio(ours && quantile(of(ours), share), theirs && quantile(of(theirs), share));
  const gaps = ({ calm }: Timing): readonly number[] => calm.gaps;
  const detections = (timing: Timing): readonly number[] => timing.detections;
  return [
    `by ${other}`,
    ...title(one),
    by(detections, 0.5),
    by(detections, 0.99),
    by(gaps, 0.99),
    by(gaps, 0.999),
  ];
}

function costRatio(other: SubjectName, sessions: number): Row {
  const [ours, theirs] = [costOf("rutter", sessions), costOf(other, sessions)];
  return [
    `by ${other}`,
    sessions,
    ratio(ours?.cpuPercent, theirs?.cpuPercent),
    ratio(ours?.residentMib, theirs?.residentMib),
    ratio(ours?.proportionalMib, theirs?.proportionalMib),
  ];
}

/** The smallest that so large a share does not exceed. */
function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

function ratio(ours: number | undefined, theirs: number | undefined): string {
  return ours === undefined || theirs === undefined ? "-" : (ours / theirs).toFixed(2);
}

function shown(value: number): string {
  return value.toFixed(2);
}
