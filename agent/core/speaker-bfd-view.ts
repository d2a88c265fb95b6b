/**
 * BFD sessions of the speaker's own daemon as `bfd`, `status` and `peers` show them.
 *
 * Pure. The plan says which neighbours have one, the daemon which sessions there are; they meet by VRF, far end and hops, for the
 * daemon may have chosen the local address and the device. Reads next: bfd-view.ts (the engine's).
 */
import type { BfdStatus } from "../../backends/bfd/parameters.ts";
import type { NeighborIntent, RouterIntent } from "../../backends/intent.ts";
import { type BfdKey, bfdKeyParts, type NeighborKey } from "../../events/ids.ts";
import type { BfdJson } from "../api/bfd-json.ts";
import type { Plan } from "../plan/plan.ts";
import { bfdView, type WallOfMicros } from "./bfd-view.ts";

export type SpeakerBfdNow = {
  readonly statuses: readonly BfdStatus[];
  readonly problems: readonly string[];
  readonly wallOf: WallOfMicros;
};

/** In order of router and neighbour; empty where the BFD engine keeps the sessions. */
export function speakerBfdOfNeighbors(
  speakers: Plan["speakers"],
  now: SpeakerBfdNow,
): ReadonlyMap<NeighborKey, BfdJson> {
  const views = new Map<NeighborKey, BfdJson>();
  const byKey = new Map<BfdKey, BfdJson>();
  for (const { vrf, neighbors } of Object.values(speakers).flatMap((one) => one?.routers ?? [])) {
    for (const neighbor of neighbors) {
      if (neighbor.speakerBfd === undefined) continue;
      const status = now.statuses.find((one) => guards(one, vrf, neighbor));
      // Neighbours that share a session share what is shown of it.
      const view = (status && byKey.get(status.key)) ?? viewOf(vrf, neighbor, status, now);
      if (status !== undefined) byKey.set(status.key, view);
      views.set(neighbor.key, view);
    }
  }
  return views;
}

function guards({ key }: BfdStatus, vrf: RouterIntent["vrf"], neighbor: NeighborIntent): boolean {
  const session = bfdKeyParts(key);
  const { remote, localAddress, speakerBfd } = neighbor;
  return (
    session.vrf === vrf &&
    session.multihop === speakerBfd?.multihop &&
    (remote.type === "address"
      ? session.remote === remote.address
      : session.device === remote.interface) &&
    (localAddress === undefined || session.local === "" || session.local === localAddress)
  );
}

function viewOf(
  vrf: string,
  { remote, localAddress, speakerBfd }: NeighborIntent,
  status: BfdStatus | undefined,
  { problems, wallOf }: SpeakerBfdNow,
): BfdJson {
  if (speakerBfd === undefined) throw new Error("only who has a session is shown");
  const { multihop, timing } = speakerBfd;
  const seen = status && bfdKeyParts(status.key);
  const place = {
    vrf,
    multihop,
    timing,
    remote: seen?.remote ?? (remote.type === "address" ? remote.address : remote.interface),
    local: seen?.local || localAddress,
  };
  return bfdView(place, status, problems[0] ?? "the speaker has no such session yet", wallOf);
}
