/**
 * Opening a log that may be damaged: found, named by its seq, and moved aside where that was asked for.
 *
 * At every start the head is checked against the row before it; everything else is checked when it is read. With `recover`
 * the whole chain is walked first. Never repairs and never deletes: the damaged file stays beside the new one.
 * Reads next: verify.ts, store.ts, place.ts.
 */
import { existsSync } from "node:fs";
import { seq } from "../ids.ts";
import type { Recovered } from "./messages.ts";
import { LogError } from "./log.ts";
import { moveAside, type Place } from "./place.ts";
import { openReader } from "./read.ts";
import { createStore, openStore, type Store } from "./store.ts";
import { type Verified, verifyLog } from "./verify.ts";

export type Opened = { readonly store: Store; readonly recovered: Recovered | undefined };

/** Opens the log of `place`, or makes a new one. Throws LogError; LOG_CORRUPT names the first damaged seq. */
export function openOrRecover(place: Place, host: string, recover: boolean): Opened {
  try {
    return { store: openWhole(place, host, recover ? "all" : "head"), recovered: undefined };
  } catch (error) {
    if (!(error instanceof LogError) || error.code !== "LOG_CORRUPT") throw error;
    const { reason, seq: damaged, head } = diagnosis(place, error);
    if (!recover) {
      const text = `${place.database}: damaged at seq ${damaged}: ${reason}; start with recovery to move it aside and begin a new log`;
      throw new LogError("LOG_CORRUPT", text, { cause: error });
    }
    const movedTo = moveAside(place);
    createStore(place.database, host);
    return {
      store: openStore(place.database, host),
      recovered: { lastSeq: head.seq, lastHash: head.hash, movedTo, reason },
    };
  }
}

function openWhole(place: Place, host: string, check: "head" | "all"): Store {
  if (!existsSync(place.database)) createStore(place.database, host);
  const store = openStore(place.database, host);
  try {
    const last = store.head().seq;
    const verified = verifyFile(place.database, check === "all" ? 1 : Math.max(last, 1));
    if (!verified.ok) {
      throw new LogError("LOG_CORRUPT", `seq ${verified.seq}: ${verified.reason}`);
    }
    return store;
  } catch (error) {
    store.close();
    throw error;
  }
}

function verifyFile(file: string, from: number): Verified {
  const reader = openReader(file);
  try {
    return verifyLog(reader, { from });
  } finally {
    reader.close();
  }
}

/** The first damaged seq by a walk from the start; where not even that opens, nothing can be said but seq 1. */
function diagnosis(
  place: Place,
  error: LogError,
): { readonly seq: number; readonly reason: string; readonly head: Verified["head"] } {
  const unreadable = { seq: 1, reason: error.message, head: { seq: seq(0), hash: "" } };
  try {
    const verified = verifyFile(place.database, 1);
    return verified.ok ? { ...unreadable, seq: verified.head.seq, head: verified.head } : verified;
  } catch (inner) {
    if (!(inner instanceof LogError)) throw inner;
    return unreadable;
  }
}
