/**
 * What a contract scenario is: data. A group shares one network, one agent and one set of sessions.
 *
 * The vocabulary only; what is expected at each router is made of it in expected.ts, and played in play.ts.
 */
import type { ProbeName } from "../probes.ts";
import type { Need } from "./capabilities.ts";
import type { Manifest } from "./manifests.ts";
import type { Session } from "./session.ts";
import type { FarName } from "./world.ts";

/** A route that routers hold over each of their sessions that carries its family. */
export type Told = {
  readonly prefix: string;
  /** All routers unless said. */
  readonly at?: readonly FarName[];
  /** The one lane of the one transport over which it is told; unless said all. */
  readonly over?: Session;
  /** The host's address of the session's lane unless said. */
  readonly nextHop?: string;
  /** What inside routers hold; RFC 4271 §5.1.5: outside ones never hear of it. 100 unless said. */
  readonly localPref?: number;
  /** 0 unless said. */
  readonly med?: number;
  readonly communities?: readonly string[];
  readonly largeCommunities?: readonly string[];
};

export type Action =
  | { readonly type: "apply"; readonly manifests: readonly Manifest[] }
  | { readonly type: "delete"; readonly manifests: readonly Manifest[] }
  /** `ip …` on the host. */
  | { readonly type: "ip"; readonly arguments: readonly string[] }
  /** By kill -9, and started again. */
  | { readonly type: "restart-agent" }
  | { readonly type: "restart-speaker" }
  | { readonly type: "restart-router"; readonly far: FarName };

export type Step = {
  /** Ends the sentence "after …". */
  readonly after: string;
  readonly does: readonly Action[];
  /** All that the routers hold of the host's in the end. */
  readonly told: readonly Told[];
  /** Prefixes that no look at these routers' tables, or at the host's kernel, misses from before the step to its end. */
  readonly neverMissed?: {
    readonly at: readonly (FarName | "kernel")[];
    readonly prefixes: readonly string[];
  };
  /** What the agent has accepted of each router named, as prefixes. */
  readonly accepted?: Readonly<Partial<Record<FarName, readonly string[]>>>;
  /** Learned routes in the host's kernel. */
  readonly installed?: readonly string[];
};

export type Scenario = {
  readonly name: string;
  /** Capabilities of the backend without which it cannot run. */
  readonly needs: readonly Need[];
  /** Fields that an agent whose backend lacks them says it does not carry, when it is given the scenario's first manifests. */
  readonly fields?: readonly string[];
  /** What this machine must have, as well. */
  readonly probes?: readonly ProbeName[];
  readonly steps: readonly Step[];
  /** Sessions whose parameters routers are asked for, too; each is one of the group's. */
  readonly sessions?: readonly Session[];
  /** `end`: something is restarted. Otherwise none may end, and the routers' own counters are asked. */
  readonly sessionsMay: "end" | "never end";
};

export type Group = {
  readonly name: string;
  readonly sessions: readonly Session[];
  /** Beside the peers; there from the start to the end. */
  readonly manifests: readonly Manifest[];
  /** What routers hold because of them, from the start to the end. */
  readonly always: readonly Told[];
  /** Lines of agent.yaml. */
  readonly config: string;
  /** `ip …` on the host before anything starts. */
  readonly prepared: readonly (readonly string[])[];
  /** What each router announces; nothing unless said. */
  readonly networks: Readonly<Partial<Record<FarName, readonly string[]>>>;
  readonly scenarios: readonly Scenario[];
};
