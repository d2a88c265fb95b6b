/**
 * FRR's daemons as the seam has them: each that answers, hangs or is gone, since when, and what to do about it.
 *
 * Looks at daemon.ts and decides nothing. Reads next: watcher.ts, ../../daemons.ts.
 */
import type { DaemonFact, DaemonStatus, SpeakerDaemons } from "../../daemons.ts";
import type { Daemon } from "./daemon.ts";
import type { OnDaemon } from "./watcher.ts";

const FIX = {
  ended:
    "systemctl start frr, and look in /etc/frr/daemons whether it is enabled; its vty socket must be in frr.vtyDirectory of agent.yaml",
  forbidden:
    "FRR's sockets are for group frrvty: [Service] SupplementaryGroups=frrvty (systemctl edit rutter; the package does so where FRR is installed), then systemctl restart rutter",
  hung: "look at its log and at what it does (top, gdb -p); systemctl restart frr ends every session, and all is told again by itself",
};

/** `more`: daemons that are not asked for what they know. */
export function daemonsSeen(
  daemons: readonly Daemon[],
  onDaemon: (listener: OnDaemon) => () => void,
  more: () => readonly DaemonStatus[],
): SpeakerDaemons {
  return {
    all: () =>
      [...daemons.flatMap(statusOf), ...more()].toSorted((a, b) => (a.daemon < b.daemon ? -1 : 1)),
    watch: (listener) =>
      onDaemon((news, reason, name) => {
        const daemon = daemons.find((one) => one.name === name);
        const fact: DaemonFact = { daemon: name, state: stateAfter(news, daemon), reason };
        listener(fact);
      }),
  };
}

function stateAfter(
  news: Parameters<OnDaemon>[0],
  daemon: Daemon | undefined,
): DaemonFact["state"] {
  if (news !== "down") return news;
  const state = daemon?.state();
  return state?.type === "down" && state.isHung ? "hung" : "ended";
}

function statusOf({ name, state: stateNow }: Daemon): readonly DaemonStatus[] {
  const state = stateNow();
  if (state.type === "unknown") return [];
  const { sinceMillis } = state;
  if (state.type === "up") return [{ daemon: name, state: "up", sinceMillis, reason: "", fix: "" }];
  const how = state.isHung ? "hung" : "ended";
  const fix = state.reason.includes("EACCES") ? FIX.forbidden : FIX[how];
  return [{ daemon: name, state: how, sinceMillis, reason: state.reason, fix }];
}
