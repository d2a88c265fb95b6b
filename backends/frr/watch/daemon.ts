/**
 * One daemon of FRR as it is asked: whether it answers, since when it does not, and whether it is another process than before.
 *
 * A closed or refused connection is the end of the daemon; an answer that does not come within ANSWER_MILLIS, or none that can be
 * read for GARBAGE_MILLIS, counts as one. Its process id (`show modules` prints it) tells a restart, also one that nobody saw. It never
 * asks by itself: whoever uses it calls check() in turn. I/O only through the port. Reads next: rhythm.ts, watcher.ts.
 */
import { BackendError } from "../../backend.ts";
import type { Clock } from "../../clock.ts";

/** One connection to a daemon's vty socket; ../io/vty.ts is one. */
export type Asks = {
  /** Rejects with BackendError. */
  show(command: string): Promise<string>;
};

export type DaemonName = "bgpd" | "bfdd" | "zebra";
export type DaemonNews = "up" | "down" | "restarted";

export type DaemonState =
  | { readonly type: "unknown" }
  | { readonly type: "up"; readonly pid: number; readonly sinceMillis: number }
  | {
      readonly type: "down";
      /** When it answered last, or was asked first. */
      readonly sinceMillis: number;
      readonly reason: string;
      /** It is there and says nothing, or nothing that makes sense. */
      readonly isHung: boolean;
    };

export type Daemon = {
  readonly name: DaemonName;
  state(): DaemonState;
  /** Words for a session's reason; empty while it answers. */
  problem(): string;
  /** undefined: no answer, or none that `read` makes sense of; the state says why. */
  ask<T>(command: string, read: (text: string) => T | undefined): Promise<T | undefined>;
  /** Asks for the process id. True where the daemon answers. */
  check(): Promise<boolean>;
};

/** Longest wait for an answer: what hangs is told within 3 s. A table of 100,000 routes is printed in 0.5 s. */
const ANSWER_MILLIS = 2_500;
const GARBAGE_MILLIS = 2_000;

export type DaemonOptions = {
  readonly name: DaemonName;
  readonly vty: Asks;
  readonly clock: Pick<Clock, "monotonicMillis" | "after">;
  /** Called after the state has changed. */
  readonly tell: (news: DaemonNews, reason: string) => void;
};

export function createDaemon({ name, vty, clock, tell }: DaemonOptions): Daemon {
  let state: DaemonState = { type: "unknown" };
  let lastPid: number | undefined;
  let answeredAt = clock.monotonicMillis();
  let unreadSince: number | undefined;
  /** An answer that did not come in time: until it comes, or the connection ends, nothing else is asked. */
  let overdue = false;

  const failed = (reason: string, isHung: boolean): void => {
    // Why it went stands, whatever later attempts find.
    if (state.type === "down") return;
    state = { type: "down", sinceMillis: answeredAt, reason, isHung };
    tell("down", reason);
  };
  const unread = (command: string): void => {
    const now = clock.monotonicMillis();
    unreadSince ??= now;
    if (now - unreadSince >= GARBAGE_MILLIS)
      failed(`what it answers to "${command}" makes no sense`, true);
  };

  const once = (command: string): Promise<string> => {
    if (overdue) return Promise.reject(new BackendError("SPEAKER_TIMEOUT", silence));
    return new Promise((resolve, reject) => {
      const cancel = clock.after(ANSWER_MILLIS, () => {
        overdue = true;
        reject(new BackendError("SPEAKER_TIMEOUT", silence));
      });
      const settled = (): void => {
        cancel();
        overdue = false;
      };
      vty.show(command).then(
        (text) => {
          settled();
          resolve(text);
        },
        (error: unknown) => {
          settled();
          reject(error instanceof Error ? error : new Error(String(error)));
        },
      );
    });
  };
  const silence = `no answer for ${ANSWER_MILLIS / 1000} s`;

  const attempt = async (command: string): Promise<string | BackendError> => {
    try {
      const said = await once(command);
      answeredAt = clock.monotonicMillis();
      return said;
    } catch (error) {
      if (error instanceof BackendError) return error;
      throw error;
    }
  };
  const refused = (command: string, { code, message }: BackendError): undefined => {
    if (code === "SPEAKER_REFUSED") unread(command);
    else failed(message, code === "SPEAKER_TIMEOUT");
  };

  const check = async (): Promise<boolean> => {
    let said = await attempt("show modules");
    // A connection that ended may be the old process's; whether there is a new one, only another try tells.
    if (isEnd(said)) said = await attempt("show modules");
    const pid = typeof said === "string" ? readPid(said) : refused("show modules", said);
    if (pid === undefined) {
      if (typeof said === "string") unread("show modules");
      return false;
    }
    const upSince = state.type === "up" && lastPid === pid ? state.sinceMillis : answeredAt;
    const wasDown = state.type !== "up";
    const isOther = lastPid !== undefined && lastPid !== pid;
    lastPid = pid;
    state = { type: "up", pid, sinceMillis: upSince };
    if (isOther) tell("restarted", `${name} is another process than before (${pid})`);
    else if (wasDown) tell("up", "");
    return true;
  };

  const ask: Daemon["ask"] = async (command, read) => {
    let said = await attempt(command);
    if (isEnd(said) && state.type === "up" && (await check())) said = await attempt(command);
    if (typeof said !== "string") return refused(command, said);
    const value = read(said);
    if (value === undefined) unread(command);
    else unreadSince = undefined;
    return value;
  };

  return {
    name,
    state: () => state,
    problem: () => (state.type === "down" ? `${name} does not answer: ${state.reason}` : ""),
    ask,
    check,
  };
}

const isEnd = (said: string | BackendError): boolean =>
  said instanceof BackendError && said.code === "SPEAKER_UNREACHABLE";

/** `pid: N`, the last line of `show modules`. */
function readPid(text: string): number | undefined {
  const [, pid] = /^pid: (\d+)$/m.exec(text.replaceAll("\r", "")) ?? [];
  return pid === undefined ? undefined : Number(pid);
}
