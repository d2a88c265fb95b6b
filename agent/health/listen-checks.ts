/**
 * All checks of type listen: one look at the kernel's tables for each pace, whatever the number of Services.
 *
 * After a look only those Services are asked at whose ports something changed, and those that are still counting results;
 * so a host with 100,000 Services at rest pays for the look alone. Reads next: listeners.ts.
 */
import type { Clock } from "../../backends/clock.ts";
import { errorCode } from "../errno.ts";
import {
  changedPorts,
  isListenedOn,
  type Listeners,
  type PortKey,
  portKey,
  type Table,
} from "./listeners.ts";
import type { ReadListeners } from "./proc-net.ts";
import { isSettled, type Result } from "./rise-fall.ts";
import type { Running, Timetable } from "./timetable.ts";

export type ListenChecks = {
  add(check: Running): void;
  remove(check: Running): void;
  /** Asks the checks that were added since the last look, now. */
  look(): void;
};

/** Checks with one interval. */
type Group = {
  readonly intervalMillis: number;
  readonly members: Set<Running>;
  readonly byPort: Map<PortKey, Set<Running>>;
  /** Those whose next result counts even where the listeners stay as they are. */
  readonly unsettled: Set<Running>;
  seen: Listeners;
  live: boolean;
};

/** A look may take at most this part of the time; on a host with very many sockets looks become rarer instead. */
const MAX_SHARE = 1 / 20;

export function listenChecks(options: {
  readonly clock: Clock;
  readonly read: ReadListeners;
  readonly timetable: Timetable;
  readonly take: (check: Running, result: Result) => void;
}): ListenChecks {
  const { clock, read, timetable, take } = options;
  const groups = new Map<number, Group>();
  const fresh = new Set<Running>();

  const ask = (check: Running, group: Group, listeners: Listeners): void => {
    take(check, isListenedOn(listeners, check.planned.ports, check.planned.addresses));
    if (isSettled(check.trend) || !check.live) group.unsettled.delete(check);
    else group.unsettled.add(check);
  };
  const lookAt = (group: Group, now: number): void => {
    if (!group.live) return;
    const looked = safely(() => read(tablesOf(group.byPort.keys())));
    if (looked.ok) {
      const asked = new Set(group.unsettled);
      for (const port of changedPorts(group.seen, looked.listeners)) {
        for (const check of group.byPort.get(port) ?? []) asked.add(check);
      }
      group.seen = looked.listeners;
      for (const check of asked) ask(check, group, looked.listeners);
    } else {
      for (const check of group.members) {
        take(check, { ok: false, reason: looked.reason });
        group.unsettled.add(check);
      }
    }
    const cost = clock.monotonicMillis() - now;
    const pause = Math.max(group.intervalMillis, cost / MAX_SHARE);
    timetable.at(now + pause, (then) => lookAt(group, then));
  };
  const groupOf = (check: Running): Group => {
    const group = groups.get(intervalOf(check));
    if (group === undefined) throw new Error("a listen check has a group");
    return group;
  };
  /** A listener that the last look of its group saw is believed until the next one; that spares a new Service the look. */
  const isSeen = (check: Running): boolean => {
    const { ports, addresses } = check.planned;
    const result = isListenedOn(groupOf(check).seen, ports, addresses);
    if (result.ok) take(check, result);
    return result.ok;
  };
  const lookNow = (checks: readonly Running[]): void => {
    const looked = safely(() =>
      read(tablesOf(checks.flatMap(({ planned }) => planned.ports.map(portKey)))),
    );
    for (const check of checks) {
      if (looked.ok) ask(check, groupOf(check), looked.listeners);
      else take(check, { ok: false, reason: looked.reason });
    }
  };
  return {
    add(check) {
      const group = groupFor(check, groups);
      group.members.add(check);
      for (const port of check.planned.ports) {
        const key = portKey(port);
        const atPort = group.byPort.get(key);
        if (atPort === undefined) group.byPort.set(key, new Set([check]));
        else atPort.add(check);
      }
      fresh.add(check);
    },
    remove(check) {
      fresh.delete(check);
      const group = groups.get(intervalOf(check));
      if (group === undefined || !group.members.delete(check)) return;
      group.unsettled.delete(check);
      for (const port of check.planned.ports) {
        const key = portKey(port);
        const atPort = group.byPort.get(key);
        atPort?.delete(check);
        if (atPort?.size === 0) group.byPort.delete(key);
      }
      if (group.members.size > 0) return;
      group.live = false;
      groups.delete(intervalOf(check));
    },
    look() {
      const now = clock.monotonicMillis();
      const open = [...fresh].filter((check) => !isSeen(check));
      if (open.length > 0) lookNow(open);
      for (const check of fresh) {
        const group = groupOf(check);
        // The next look is compared with an older one: ask once more then.
        group.unsettled.add(check);
        if (group.live) continue;
        group.live = true;
        timetable.at(now + group.intervalMillis, (then) => lookAt(group, then));
      }
      fresh.clear();
    },
  };
}

const intervalOf = ({ planned }: Running): number => planned.intervalSeconds * 1000;

function groupFor(check: Running, groups: Map<number, Group>): Group {
  const intervalMillis = intervalOf(check);
  const known = groups.get(intervalMillis);
  if (known !== undefined) return known;
  const group: Group = {
    intervalMillis,
    members: new Set(),
    byPort: new Map(),
    unsettled: new Set(),
    seen: new Map(),
    live: false,
  };
  groups.set(intervalMillis, group);
  return group;
}

function tablesOf(ports: Iterable<PortKey>): readonly Table[] {
  const tables = new Set<Table>();
  for (const port of ports) {
    if (port.startsWith("TCP/")) tables.add("tcp").add("tcp6");
    else if (port.startsWith("UDP/")) tables.add("udp").add("udp6");
    if (tables.size === 4) break;
  }
  return [...tables];
}

type Looked =
  | { readonly ok: true; readonly listeners: Listeners }
  | { readonly ok: false; readonly reason: string };

/** The world's failures (no descriptor left, no /proc) are results like any other; our own faults are not caught. */
function safely(read: () => Listeners): Looked {
  try {
    return { ok: true, listeners: read() };
  } catch (error) {
    const code = errorCode(error);
    if (code === "") throw error;
    return { ok: false, reason: `the listeners of this host cannot be read: ${code}` };
  }
}
