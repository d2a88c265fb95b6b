/**
 * The book without the agent: reads a log's file, also one that was copied to another host.
 *
 * The only file of the command line that opens a log; it never writes one and folds with the agent's own functions. Loaded
 * only by the commands that need it, because it brings SQLite and every schema with it.
 */
import type { AtGetJson, AtStatusJson, EnvelopeJson } from "../api/contract.ts";
import { CoreError, type LogQuery, type Moment, type ResourceQuery } from "../api/core.ts";
import { kindNamed } from "../api/kind-names.ts";
import { type AtMoment, stateAt } from "../core/moments.ts";
import { resourceViews } from "../core/resource-view.ts";
import { recordedStatus } from "../core/status-view.ts";
import { envelopeJson, exportLog, rfc3339 } from "../../events/log/export.ts";
import { LogError, type LogHead } from "../../events/log/log.ts";
import { type LogReader, readOnlyLog } from "../../events/log/read.ts";
import { type Verified, verifyLog } from "../../events/log/verify.ts";
import { Failure } from "./failure.ts";

/** Runs `act` on the log and closes it, however that ends. The world's faults become Failures. */
function* withLog<T>(file: string, act: (log: LogReader) => Iterable<T>): Generator<T> {
  try {
    const log = readOnlyLog(file);
    try {
      yield* act(log);
    } finally {
      log.close();
    }
  } catch (error) {
    throw asFailure(error);
  }
}

function once<T>(file: string, act: (log: LogReader) => T): T {
  for (const value of withLog(file, (log) => [act(log)])) return value;
  throw new Error("a log was opened and nothing was asked of it");
}

const asFailure = (error: unknown): unknown =>
  error instanceof LogError
    ? new Failure("UNREADABLE", `${error.message} [${error.code}]`, { cause: error })
    : error instanceof CoreError
      ? new Failure("REFUSED", `${error.message} [${error.code}]`, { cause: error })
      : error;

export function logOf(file: string, query: LogQuery): Iterable<EnvelopeJson> {
  const { last, ...rest } = query;
  const { from, to, since, until, types, subject } = rest;
  const filter = {
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
    ...(types === undefined ? {} : { types }),
    ...(subject === undefined ? {} : { subject }),
  };
  return withLog(file, function* (log) {
    const facts = log.read(filter);
    for (const fact of last === undefined ? facts : newest(facts, last)) yield shown(fact);
  });
}

function shown(fact: Parameters<typeof envelopeJson>[0]): EnvelopeJson {
  // export.ts writes this shape, and says so in looser words.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return envelopeJson(fact) as EnvelopeJson;
}

function newest<T>(facts: Iterable<T>, count: number): readonly T[] {
  const kept: T[] = [];
  for (const fact of facts) {
    kept.push(fact);
    if (kept.length > 2 * count + 1) kept.splice(0, kept.length - count);
  }
  return count === 0 ? [] : kept.slice(-count);
}

export const exportOf = (file: string, from: number): Iterable<string> =>
  withLog(file, (log) => exportLog(log, from));

export const verifyOf = (
  file: string,
  checkpoint: { readonly seq: number; readonly hash: string } | undefined,
  onProgress: (seq: number, head: number) => void,
): Verified =>
  once(file, (log) => {
    const head = log.head().seq;
    return verifyLog(log, {
      ...(checkpoint === undefined
        ? {}
        : // A seq is a brand of number; the caller read it as one.
          // oxlint-disable-next-line typescript/no-unsafe-type-assertion
          { checkpoint: checkpoint as LogHead }),
      onProgress: (seq) => onProgress(seq, head),
    });
  });

export const statusAt = (file: string, moment: Moment): AtStatusJson =>
  once(file, (log) => {
    const at = reached(log, moment);
    return { ...position(at), status: recordedStatus(at.state, at.seqOf) };
  });

export const resourcesAt = (
  file: string,
  moment: Moment,
  { kind, namespace, name }: ResourceQuery,
): AtGetJson =>
  once(file, (log) => {
    const at = reached(log, moment);
    const { types } = kindNamed(kind);
    const resources = resourceViews(
      at.state.desired,
      { types, namespace, name },
      at.seqOf,
      undefined,
    );
    return { ...position(at), resources: [...resources] };
  });

function reached(log: LogReader, moment: Moment): AtMoment {
  const at = stateAt((filter) => log.read(filter), moment);
  if (at !== undefined) return at;
  const wanted = moment.type === "seq" ? `seq ${moment.seq}` : "that time";
  throw new CoreError(
    "NOT_FOUND",
    `the log does not reach ${wanted}: it has 1 to ${log.head().seq}`,
  );
}

const position = ({ state }: AtMoment) => ({
  seq: state.seq,
  at: state.at === undefined ? null : rfc3339(state.at.wall),
});
