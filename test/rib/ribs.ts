/** An Adj-RIB-In of a peer in another AS, as tests want it: everything that is not said is ordinary. */
import {
  type AdjRibIn,
  type AdjRibInOptions,
  createAdjRibIn,
  rejudge,
  setPolicy,
} from "../../backends/native/rib/adj-rib-in.ts";
import type { PeerFacts } from "../../backends/native/rib/attribute-facts.ts";
import { createPathStore } from "../../backends/native/rib/path-store.ts";
import { sweepRoute } from "../../backends/native/rib/stale-routes.ts";
import { walkTable } from "../../backends/native/rib/table-walk.ts";
import { address } from "../../events/address.ts";
import type { NeighborKey } from "../../events/ids.ts";

export const ordinaryPeer: PeerFacts = {
  neighbor: "|192.0.2.1|" as NeighborKey,
  external: true,
  remoteAs: 65_001,
  remoteAddress: address("192.0.2.1"),
  remoteRouterId: 0xc000_0201,
  localRouterId: 0xc000_0209,
  localAses: [64_512],
  localAddresses: new Set([address("192.0.2.9"), address("2001:db8::9")]),
  device: "eth0",
};

export const ribOf = (options: Partial<AdjRibInOptions> = {}): AdjRibIn =>
  createAdjRibIn({
    policy: { judge: () => 0, checkFirstAs: false },
    peer: ordinaryPeer,
    paths: createPathStore(),
    limits: { ipv4: 1_000_000, ipv6: 1_000_000 },
    seed: 7,
    changed: () => undefined,
    ...options,
  });

/** Another policy, and all routes judged by it at once. */
export function reconsider(rib: AdjRibIn, policy: AdjRibInOptions["policy"]): void {
  setPolicy(rib, { policy, limits: rib.options.limits });
  for (const family of ["ipv4", "ipv6"] as const) {
    const walk = walkTable(rib.tables[family], true);
    while (walk.some(3, (...route) => rejudge(rib, ...route)));
  }
}

/** What is condemned leaves, as it does in turns. */
export function sweepAll(rib: AdjRibIn): void {
  for (const family of ["ipv4", "ipv6"] as const) {
    const walk = walkTable(rib.tables[family], true);
    while (walk.some(3, (...route) => sweepRoute(rib, ...route)));
  }
}
