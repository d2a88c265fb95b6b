/**
 * What becomes of gobgpd as a program, told as the seam wants it: it answers, hangs, or ended, and over what it crashed.
 *
 * Made of what the supervisor sees of its child and what the link sees of its answers; decides nothing and does no I/O. Where gobgpd
 * is somebody else's, only the link tells, and nothing is known of its last words. Reads next: link.ts, io/daemon.ts, read/crash.ts.
 */
import type { BackendError } from "../backend.ts";
import type { Clock } from "../clock.ts";
import type { DaemonFact, DaemonStatus, SpeakerDaemons } from "../daemons.ts";
import { crashIn, messageOf } from "./read/crash.ts";
import type { Heard } from "./read/streams.ts";

export type DaemonWatch = SpeakerDaemons & {
  /** A child of ours ended: with which signal or status, and the head of what it said. Returns over what, in a sentence. */
  exited(how: string, words: string): string;
  /** It answers. */
  up(): void;
  down(error: BackendError): void;
};

export type DaemonWatchOptions = {
  readonly clock: Pick<Clock, "monotonicMillis">;
  /** Why it does not run, where it is ours to start; undefined: it runs, or is not ours. */
  readonly problem: () => string | undefined;
  /** It runs as our child, so that its end is told by exited(). */
  readonly isChild: () => boolean;
  /** Messages of peers since it was asked last, oldest first; a text says why none was heard. */
  readonly heard: () => readonly Heard[] | string;
  readonly isOurs: boolean;
};

const DAEMON = "gobgpd";
const FIX = {
  ours: "it is started again by itself; rutter log --type speaker-daemon-observed says over what it ended",
  theirs:
    "start gobgpd with its API at gobgp.address of agent.yaml; Debian's gobgpd.service has it there by the drop-in /usr/share/rutter/gobgpd.conf, which says how",
  forbidden:
    "gobgpd's socket is not the agent's to open: /usr/share/rutter/gobgpd.conf is a drop-in for gobgpd.service that makes it so",
};

export function createDaemonWatch(options: DaemonWatchOptions): DaemonWatch {
  const { clock } = options;
  const listeners = new Set<(fact: DaemonFact) => void>();
  let state: DaemonStatus["state"] = "ended";
  let reason = "";
  let since = clock.monotonicMillis();
  /** Why the one before ended. */
  let lastEnd = "";

  const become = (fact: DaemonFact): void => {
    if (fact.state === state && fact.reason === reason) return;
    state = fact.state === "restarted" ? "up" : fact.state;
    reason = fact.reason;
    since = clock.monotonicMillis();
    for (const listener of listeners) listener(fact);
  };

  const fixOf = (): string => {
    if (state === "up") return "";
    if (options.isOurs) return FIX.ours;
    return reason.includes("EACCES") ? FIX.forbidden : FIX.theirs;
  };

  return {
    exited(how, words) {
      const crash = crashIn(words);
      const heard = options.heard();
      const message = typeof heard === "string" ? undefined : messageOf(crash, heard);
      const said = crash.panic === undefined ? how : `${how}: ${crash.panic}`;
      lastEnd = message === undefined ? said : `${said}, over a message of ${message.from}`;
      const unheard =
        typeof heard === "string" && crash.panic !== undefined
          ? ` (what its peers sent is not known: ${heard})`
          : "";
      // Each end is one, also where it answered nobody since the one before.
      reason = "";
      become({
        daemon: DAEMON,
        state: "ended",
        reason: `${lastEnd}${unheard}`,
        ...(crash.panic === undefined ? {} : { words }),
        ...(message === undefined ? {} : { message }),
      });
      return lastEnd;
    },
    up() {
      become({ daemon: DAEMON, state: "up", reason: "" });
    },
    down(error) {
      if (error.code === "SPEAKER_REFUSED") return;
      const now = error.code === "SPEAKER_TIMEOUT" ? "hung" : "ended";
      // What the supervisor sees, or saw, of its end says more.
      if (now === "ended" && (options.isChild() || (state === "ended" && reason !== ""))) return;
      become({ daemon: DAEMON, state: now, reason: error.message });
    },
    all: () => [
      {
        daemon: DAEMON,
        state,
        sinceMillis: since,
        reason: state === "up" ? lastEnd : (options.problem() ?? reason),
        fix: fixOf(),
      },
    ],
    watch(listener) {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
  };
}
