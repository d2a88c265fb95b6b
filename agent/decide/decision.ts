/**
 * What a command carries and what is decided on it: the values that pass between decide(), its parts and whoever records.
 *
 * Types only. Reads next: decide.ts, draft.ts.
 */
import type { Fact } from "../../events/envelope.ts";
import type { EventId, ResourceKey } from "../../events/ids.ts";
import type { Resource } from "../../events/resources/kinds.ts";
import type { Owner } from "../../events/resources/resource.ts";
import type { DesiredState } from "../../events/state.ts";

/** A parsed manifest and where it stood, for complaints. */
export type Document = {
  readonly resource: Resource;
  readonly file: string;
  readonly line: number;
  readonly owner: Owner;
};

/** A fact without its circumstances: agent/pipeline/pen.ts adds clocks, actor and source. */
export type DraftFact = Pick<Fact, "id" | "event" | "subject" | "cause">;

export type Refusal = {
  readonly key: ResourceKey;
  readonly rule: string;
  readonly message: string;
  readonly document?: Document;
};

export type Change = {
  readonly key: ResourceKey;
  readonly result: "created" | "configured" | "unchanged" | "deleted" | "refused";
  /** The fact that says so; undefined where nothing was said. */
  readonly fact: EventId | undefined;
};

export type Decision = {
  readonly type: "accepted" | "refused" | "held";
  readonly facts: readonly DraftFact[];
  readonly changes: readonly Change[];
  readonly refusals: readonly Refusal[];
  /** The desired state with the facts folded in; the same object where there are none. */
  readonly after: DesiredState;
};
