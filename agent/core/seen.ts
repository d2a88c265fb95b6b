/**
 * What is seen of sessions now: the plan's peers, with what their speakers, BFD and the handover say of each.
 *
 * Asks whenever somebody looks, and keeps nothing. Reads next: status-view.ts, bfd-view.ts.
 */
import type { SessionStatus } from "../../backends/backend.ts";
import type { BfdClient } from "../../backends/bfd/client.ts";
import type { NeighborKey } from "../../events/ids.ts";
import type { BfdJson } from "../api/bfd-json.ts";
import type { PeerJson } from "../api/contract.ts";
import type { Planned } from "../pipeline/reconcile.ts";
import type { Plan } from "../plan/plan.ts";
import { bfdOfNeighbors, bfdViews, type WallOfMicros } from "./bfd-view.ts";
import { speakerBfdOfNeighbors } from "./speaker-bfd-view.ts";
import type { Speakers } from "./speakers.ts";
import { peerViews, type WallOf } from "./status-view.ts";

export type SeenParts = {
  readonly backend: Speakers;
  readonly bfd: Pick<BfdClient, "statuses" | "problems">;
  readonly planned: () => Planned;
  /** Neighbours that another speaker has to let go of first, each with the reason. */
  readonly waiting: () => ReadonlyMap<NeighborKey, string>;
  readonly wallOf: WallOf;
  readonly wallOfMicros: WallOfMicros;
};

export type Seen = {
  sessions(): ReadonlyMap<NeighborKey, SessionStatus>;
  /** Of the BFD engine and of speakers' own daemons. */
  bfd(plan: Plan): readonly BfdJson[];
  peers(): readonly PeerJson[];
};

export function seenNow(parts: SeenParts): Seen {
  const sessions = () => new Map(parts.backend.sessions().map((one) => [one.neighbor, one]));
  const bfdNow = () => ({
    statuses: parts.bfd.statuses(),
    problems: parts.bfd.problems(),
    wallOf: parts.wallOfMicros,
  });
  const speakerBfd = ({ speakers }: Plan) =>
    speakerBfdOfNeighbors(speakers, {
      statuses: parts.backend.bfd?.all() ?? [],
      problems: parts.backend.bfd?.problems() ?? [],
      wallOf: parts.wallOfMicros,
    });
  return {
    sessions,
    bfd: (plan) => [...bfdViews(plan.bfd, bfdNow()), ...new Set(speakerBfd(plan).values())],
    peers() {
      const { plan } = parts.planned();
      const bfd = new Map([...bfdOfNeighbors(plan.bfd, bfdNow()), ...speakerBfd(plan)]);
      const waiting = parts.waiting();
      return peerViews(plan, { sessions: sessions(), bfd, waiting }, parts.wallOf);
    },
  };
}
