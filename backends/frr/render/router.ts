/**
 * A router → the lines that are neither a neighbour's nor a route's.
 *
 * Pure. They are those of frr-k8s and one more. None of them resets a session when it comes to a router that has some, but the
 * restart time does from FRR 10 on: a default one is therefore never said (FRRouting/frr#22953).
 */
import type { Family } from "../../../events/address.ts";
import type { RouterIntent } from "../../intent.ts";
import type { FrrVersion } from "../version.ts";

/** Asked of peers where nothing else is said (FRR's BGP_DEFAULT_RESTART_TIME). */
const DEFAULT_RESTART_TIME_SECONDS = 120;

export function routerLines(router: RouterIntent, version: FrrVersion): string[] {
  const restartTime = restartTimeOf(router);
  return [
    ...(router.routerId === undefined ? [] : [`bgp router-id ${router.routerId}`]),
    // Every neighbour of ours has its route maps; this is for those of raw lines.
    ...(version.profile === "datacenter" ? [] : ["no bgp ebgp-requires-policy"]),
    "no bgp default ipv4-unicast",
    ...(restartTime === DEFAULT_RESTART_TIME_SECONDS
      ? []
      : [`bgp graceful-restart restart-time ${restartTime}`]),
    "bgp graceful-restart preserve-fw-state",
    // Routes that are equal otherwise are used together, whatever ASes they lead through: as the native speaker does.
    "bgp bestpath as-path multipath-relax",
    "no bgp network import-check",
  ];
}

/** VRFs leaked into this one, for either family. */
export const importLines = ({ imports }: RouterIntent): string[] =>
  imports.map((vrf) => `import vrf ${vrf === "" ? "default" : vrf}`);

/** Families whose node has lines of the router's own. */
export const importFamilies = ({ imports }: RouterIntent): readonly Family[] =>
  imports.length === 0 ? [] : ["ipv4", "ipv6"];

/** FRR has one for the router: the longest that one of its neighbours is asked for. */
function restartTimeOf({ neighbors }: RouterIntent): number {
  const times = neighbors.flatMap(({ gracefulRestart }) =>
    gracefulRestart === undefined ? [] : [gracefulRestart.restartTimeSeconds],
  );
  return times.length === 0 ? DEFAULT_RESTART_TIME_SECONDS : Math.max(...times);
}
