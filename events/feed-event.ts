/**
 * What can be said of a fleet's feed: a part of the union of events (event.ts), under the same rules.
 *
 * Reads next: feeds.ts (the fold).
 */
import type { Address } from "./address.ts";
import type { ResourceKey } from "./ids.ts";
import type { Resource } from "./resources/kinds.ts";

/** Where a change set stood in its stream: a hint only, for a stream that is made anew begins at 1 again. */
export type FeedPosition = {
  readonly stream: string;
  /** When the stream was made, RFC 3339. */
  readonly created: string;
  readonly sequence: number;
};

/** What a feed wants and another owner on this host holds: taken as soon as the key is free. */
export type LeftOut = {
  readonly key: ResourceKey;
  readonly reason: string;
  readonly resource: Resource;
  /** As the fleet's publisher allocated them. */
  readonly addresses: readonly { readonly address: Address; readonly pool: ResourceKey }[];
};

export type FeedEvent =
  /** A change set or base of a fleet took its place, whole; the facts it led to name it as their cause. */
  | {
      readonly type: "feed-advanced";
      readonly fleet: string;
      readonly set: "change" | "base";
      readonly generation: number;
      /** Of the change set of this generation, SHA-256 in hexadecimal: what the next one names. */
      readonly digest: string;
      readonly signer: string;
      readonly position: FeedPosition;
      /** A refused one changes nothing, and the generation moves on all the same. */
      readonly verdict:
        | { readonly result: "applied" }
        | { readonly result: "refused"; readonly rule: string; readonly reason: string };
      readonly applied: readonly ResourceKey[];
      readonly deleted: readonly ResourceKey[];
      readonly unchanged: number;
      /** Of a change those that differ from before, of a base all. */
      readonly left: readonly LeftOut[];
      /** Keys that the set deletes, also those that this host never had. */
      readonly tombstones: readonly ResourceKey[];
    }
  /** What came by the feed is no change set for this host. */
  | {
      readonly type: "feed-refused";
      readonly fleet: string;
      /** Stable id of what it breaks. */
      readonly rule: string;
      readonly reason: string;
      readonly position: FeedPosition;
      /** As the message says; empty where it says nothing of the kind. */
      readonly signer: string;
      readonly digest: string;
    }
  /** The feed and this host do not fit together; nothing was deleted for that. */
  | {
      readonly type: "feed-diverged";
      readonly fleet: string;
      /** Another history than ours came by, or a base lacks what is here. */
      readonly what: "history" | "strays";
      readonly reason: string;
      /** What this host has of the fleet and the fleet's base does not: it stays until `rutter confirm`. */
      readonly strays: readonly ResourceKey[];
    }
  | {
      readonly type: "feed-converged";
      readonly fleet: string;
      /** Strays that were deleted because somebody confirmed it. */
      readonly deleted: readonly ResourceKey[];
    };
