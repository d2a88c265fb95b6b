/**
 * Runs the checks that desired state asks for and says when a Service's health on this host changes.
 *
 * One timer for all; a new Service is looked at at once. Checks of type listen share one look at the kernel's tables, and
 * after it only Services at ports that changed are asked. Never decides what health means for a route: the plan does, out
 * of the recorded fact. Reads next: listen-checks.ts, probe-checks.ts, plan-checks.ts.
 */
import type { Clock } from "../../backends/clock.ts";
import type { ResourceKey } from "../../events/ids.ts";
import { type DesiredState, nothingDesired } from "../../events/state.ts";
import { listenChecks } from "./listen-checks.ts";
import { followChecks, type PlannedCheck } from "./plan-checks.ts";
import type { Probe } from "./probes.ts";
import { probeChecks } from "./probe-checks.ts";
import type { ReadListeners } from "./proc-net.ts";
import { judge, type Result, resumed, unknown, type Verdict } from "./rise-fall.ts";
import { createTimetable, type Running } from "./timetable.ts";

export type HealthOptions = {
  readonly clock: Clock;
  readonly readListeners: ReadListeners;
  /** Every type but listen. */
  readonly probe: Probe;
  /** A change, or the first thing known. Called from update() too. Must not call update() itself. */
  readonly onChange: (service: ResourceKey, healthy: boolean, reason: string) => void;
  /**
   * `trusted`: health that was recorded before the agent's start goes on, and falls by the check's own count (a restart of
   * the agent). `stale`: the first result decides (a reboot of the host: what was healthy then says nothing now).
   */
  readonly recorded: "trusted" | "stale";
};

export type Health = {
  /** Level-triggered: whole desired state; costs what changed since the last one. First listen results are told inside. */
  update(desired: DesiredState): void;
  /** Tells again what is known and not recorded: for when recording failed. */
  repeat(): void;
  /** Ends all; running probes are aborted. Idempotent. */
  stop(): void;
};

export function createHealth(options: HealthOptions): Health {
  const { clock, onChange } = options;
  const checks = followChecks();
  const running = new Map<ResourceKey, Running>();
  let desired = nothingDesired;
  let first = true;

  const take = (check: Running, result: Result): void => {
    if (!check.live) return;
    const { trend, verdict } = judge(check.trend, result, check.planned);
    check.trend = trend;
    if (verdict !== undefined) check.known = verdict;
    if (verdict !== undefined) tell(check.planned.service, verdict);
  };
  const tell = (service: ResourceKey, { healthy, reason }: Verdict): void => {
    const before = desired.endpoints.get(service);
    if (before?.healthy === healthy && before.reason === reason) return;
    onChange(service, healthy, reason);
  };
  const timetable = createTimetable(clock);
  const listen = listenChecks({ clock, read: options.readListeners, timetable, take });
  const probes = probeChecks({ clock, probe: options.probe, timetable, take });

  const start = (planned: PlannedCheck): void => {
    const recorded = desired.endpoints.get(planned.service);
    const goesOn = first && options.recorded === "trusted" && recorded !== undefined;
    const trend = goesOn ? resumed(recorded.healthy) : unknown;
    const known = goesOn ? recorded : undefined;
    const check: Running = { planned, trend, known, live: true };
    running.set(planned.service, check);
    if (planned.check.type === "listen") listen.add(check);
    else probes.add(check);
  };
  const end = (service: ResourceKey): void => {
    const check = running.get(service);
    if (check === undefined) return;
    check.live = false;
    running.delete(service);
    if (check.planned.check.type === "listen") listen.remove(check);
    else probes.remove(check);
  };
  return {
    update(next) {
      desired = next;
      for (const { service, planned } of checks.changes(next)) {
        end(service);
        if (planned !== undefined) start(planned);
      }
      first = false;
      listen.look();
      timetable.arm();
    },
    repeat() {
      for (const { planned, known } of running.values()) {
        if (known !== undefined) tell(planned.service, known);
      }
    },
    stop() {
      for (const service of running.keys()) end(service);
      timetable.stop();
    },
  };
}
