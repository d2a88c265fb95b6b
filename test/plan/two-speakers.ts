/**
 * A host with two speakers in a test: FRR's abilities first, the native speaker's beside it.
 */
import { besideEachOther, type PlanOptions } from "../../agent/plan/options.ts";
import type { Plan } from "../../agent/plan/plan.ts";
import type { BackendName } from "../../backends/intent.ts";
import { frr } from "./frr-speaker.ts";
import { options as native } from "./world.ts";

export const both: PlanOptions = besideEachOther(frr(), [native]);

export const peerBackend = (name: string, spec: object): string =>
  `apiVersion: rutter/v1\nkind: PeerBackend\nmetadata: {name: ${name}, namespace: metallb-system}\nspec: ${JSON.stringify(spec)}`;

export const toNative = (...peers: readonly string[]): string =>
  peerBackend("to-native", { peers, backend: "native" });

/** Names of the neighbours that each is told of, and what it announces. */
export const shareOf = (made: Plan, backend: BackendName) => ({
  neighbors: (made.speakers[backend]?.routers ?? []).flatMap((router) =>
    router.neighbors.map(({ name }) => name),
  ),
  routes: (made.speakers[backend]?.routers ?? []).flatMap((router) => [...router.routes.keys()]),
});

/** Who is not opened, and why. */
export const refusedIn = (made: Plan): Record<string, string> =>
  Object.fromEntries(
    [...made.neighbors.values()].flatMap(({ neighbor, verdict }) =>
      verdict.type === "refused" ? [[neighbor.name, verdict.reason]] : [],
    ),
  );
