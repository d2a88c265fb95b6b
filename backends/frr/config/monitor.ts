/**
 * The lines that make bgpd tell us of its sessions by BMP (RFC 7854), where it was started with that module.
 *
 * Pure. Peers going up and down are told without any line that asks for them; routes are not asked for
 * (docs/decisions/012-frr-by-its-own-sockets.md). Reads next: ../io/bmp.ts, scope.ts.
 */
import { type ConfigTree, leaves } from "./tree.ts";
import { vrfOfRouter } from "./words.ts";

/** The node in each router; its name is ours, whoever made the router. */
export const MONITOR_LINE = "bmp targets rutter";

/** Milliseconds. The last keeps bgpd's log small, which gets two lines for each attempt, when an agent was killed; a new agent has a new line. */
const RETRY = { first: 100, last: 60_000 } as const;

/** Whether bgpd has the module, from what it answers to `show modules`. */
export const hasMonitor = (modules: string): boolean => /^bgpd_bmp\s/m.test(modules);

/** What is wanted, and in each router of it that its sessions be told to that port of this host. */
export function withMonitor(wanted: ConfigTree, port: number): ConfigTree {
  const target = leaves([
    `bmp connect 127.0.0.1 port ${port} min-retry ${RETRY.first} max-retry ${RETRY.last}`,
  ]);
  return new Map(
    [...wanted].map(([line, lines]) =>
      vrfOfRouter(line) === undefined
        ? [line, lines]
        : [line, new Map(lines).set(MONITOR_LINE, target)],
    ),
  );
}
