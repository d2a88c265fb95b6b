/**
 * What a speaker that installs routes itself (FRR's zebra) took in and did not install: looked for when somebody asks (`doctor`).
 *
 * Compares what it accepted with what routing daemons have in the kernel's table of that VRF. Who wins over a learned route
 * (connected, static, our own) is no fault. Never installs anything: two hands on one table is what this is there to avoid.
 */
import type { ShownRoute, SpeakerBackend } from "../../backends/backend.ts";
import type { Kernel } from "../../backends/kernel/facts.ts";
import type { ExportRule } from "../../backends/kernel/intent.ts";
import { resourceKey } from "../../events/ids.ts";
import type { Prefix } from "../../events/prefix.ts";
import type { Plan } from "../plan/plan.ts";

export type NotInstalled = {
  readonly vrf: string;
  readonly count: number;
  /** One of them. */
  readonly example: Prefix;
};

export type NotInstalledParts = {
  readonly backend: Pick<SpeakerBackend, "name" | "capabilities"> & {
    /** A speaker may be asked over a socket, so its routes may come one after the other. */
    routes(direction: "received"): Iterable<ShownRoute> | AsyncIterable<ShownRoute>;
  };
  readonly kernel: Pick<Kernel, "offers"> | undefined;
  readonly plan: Plan;
};

/** rtnetlink.h: RTPROT_ZEBRA and RTPROT_BGP, by which zebra marks what it installs for bgpd. */
const BY_SPEAKER = [11, 186];
/** Above every table that a speaker holds. */
const ALL = Number.MAX_SAFE_INTEGER;

/** Rejects with BackendError where the speaker does not answer. */
export async function notInstalled(parts: NotInstalledParts): Promise<readonly NotInstalled[]> {
  const { backend, kernel, plan } = parts;
  if (kernel === undefined || !backend.capabilities.has.has("installs-routes")) return [];
  const routers = plan.speakers[backend.name]?.routers ?? [];
  const there = new Map(routers.map(({ vrf }) => [vrf, inKernel(kernel, vrf)] as const));
  for (const { vrf, routes } of routers) for (const own of routes.keys()) there.get(vrf)?.add(own);
  const missing = new Map<string, Set<Prefix>>();
  for await (const { prefix, neighbor, accepted } of backend.routes("received")) {
    const vrf = neighbor.split("|")[0] ?? "";
    if (!accepted || there.get(vrf)?.has(prefix) !== false) continue;
    missing.set(vrf, (missing.get(vrf) ?? new Set()).add(prefix));
  }
  return [...missing].flatMap(([vrf, prefixes]) => {
    const [example] = prefixes;
    return example === undefined ? [] : [{ vrf, count: prefixes.size, example }];
  });
}

/** What the table of the VRF has: of routing daemons, of others, and what is connected. */
function inKernel(kernel: Pick<Kernel, "offers">, vrf: string): Set<Prefix> {
  const rule = (name: string, from: ExportRule["from"]): ExportRule => ({
    rule: resourceKey("rutter", "RouteExport", "", name),
    vrf,
    from,
    prefixes: [],
    maximum: ALL,
    exportDefault: true,
    provenance: [],
  });
  const routes = { type: "kernel-routes", table: undefined, interfaces: [] } as const;
  const offered = kernel.offers([
    rule("speaker", { ...routes, protocols: BY_SPEAKER }),
    rule("others", { ...routes, protocols: [] }),
    rule("connected", { type: "connected", interfaces: [] }),
  ]);
  return new Set(offered.flatMap(({ added }) => added));
}
