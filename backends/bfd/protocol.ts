/**
 * What the agent and the BFD process say to each other: lines of JSON over a Unix socket.
 *
 * The client says hello, then is told what is held (it may be another agent than the one that asked for it), then asks for
 * what it wants, as often as it wants; the process tells of each change. A process serves its own protocol version and the
 * one before, so that either side can be upgraded first. Times are CLOCK_MONOTONIC microseconds, one clock for both sides.
 */
import type { BfdKey } from "../../events/ids.ts";
import type { BfdParameters, BfdStatus, BfdTransition } from "./parameters.ts";

/** Newest first. */
export const PROTOCOLS: readonly number[] = [1];

export type ToProcess =
  | {
      readonly type: "hello";
      readonly protocol: number;
      readonly program: string;
      readonly instance: string;
    }
  /** These sessions and no others. Answered by `held` with the same number. */
  | {
      readonly type: "hold";
      readonly request: number;
      readonly sessions: readonly BfdParameters[];
    }
  /** Answered by `status`. */
  | { readonly type: "status" };

export type FromProcess =
  | {
      readonly type: "hello";
      readonly protocol: number;
      readonly program: string;
      /** Drawn at the start of the process: another one holds nothing of what was asked before. */
      readonly instance: string;
      readonly pid: number;
      /** Why its loop runs at normal priority; empty where it is real-time. */
      readonly priorityProblem: string;
      /** Sessions stay up so long while no agent is connected. */
      readonly keepSeconds: number;
    }
  | { readonly type: "refused"; readonly reason: string }
  | {
      readonly type: "held";
      readonly request: number;
      readonly added: readonly BfdKey[];
      readonly changed: readonly BfdKey[];
      readonly removed: readonly BfdKey[];
      /** What the process holds afterwards, read back. */
      readonly keys: readonly BfdKey[];
    }
  | { readonly type: "transition"; readonly transition: BfdTransition }
  | {
      readonly type: "status";
      readonly atMicros: number;
      readonly sessions: readonly BfdStatus[];
      readonly problems: readonly string[];
      /** Discarded packets by reason, since the process started. */
      readonly discards: Readonly<Record<string, number>>;
    };

/** Longer is no message of ours: 10,000 sessions take some 5 MB. */
export const MOST_LINE_CHARACTERS = 64 * 1024 * 1024;

/** Cuts a stream into lines; throws RangeError where one is longer than any message. */
export function lineReader(onLine: (line: string) => void): (chunk: string) => void {
  let rest = "";
  return (chunk) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > MOST_LINE_CHARACTERS) throw new RangeError("a line without an end");
    for (const line of lines) if (line !== "") onLine(line);
  };
}
