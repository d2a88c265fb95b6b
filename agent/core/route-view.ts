/**
 * Routes as the API shows them, and neighbours by the names that people call them.
 *
 * Walked lazily: a full table is never one array. Reads next: kernel-view.ts.
 */
import { BackendError, type ShownRoute, type SpeakerBackend } from "../../backends/backend.ts";
import type { Kernel } from "../../backends/kernel/facts.ts";
import type { NeighborKey } from "../../events/ids.ts";
import type { RouteJson } from "../api/contract.ts";
import { CoreError } from "../api/core.ts";
import type { Planned } from "../pipeline/reconcile.ts";
import { kernelRoutes } from "./kernel-view.ts";

type Parts = {
  readonly backend: Pick<SpeakerBackend, "routes" | "sessions">;
  readonly kernel: Kernel | undefined;
  readonly planned: () => Planned;
};

export function neighborNamed(parts: Parts, peer: string): NeighborKey {
  const neighbors = Object.values(parts.planned().plan.speakers)
    .flatMap((speaker) => speaker?.routers ?? [])
    .flatMap((router) => router.neighbors);
  const found = neighbors.find(
    ({ name, remote }) => name === peer || (remote.type === "address" && remote.address === peer),
  );
  if (found !== undefined) return found.key;
  const known = neighbors.map(({ name }) => name).join(", ");
  throw new CoreError(
    "NOT_FOUND",
    `there is no peer ${peer} on this host; known: ${known || "none"}`,
  );
}

const sessionNames = ({ backend }: Parts): ReadonlyMap<NeighborKey, string> =>
  new Map(backend.sessions().map(({ neighbor, name }) => [neighbor, name]));

export const neighborName = (parts: Parts, key: NeighborKey): string =>
  sessionNames(parts).get(key) ?? key;

export async function* routeViews(
  parts: Parts,
  direction: "received" | "advertised" | "kernel",
  neighbor: NeighborKey | undefined,
  raw: boolean,
): AsyncGenerator<RouteJson> {
  const names = sessionNames(parts);
  if (direction === "kernel") {
    yield* kernelRoutes(parts.kernel, names, neighbor);
    return;
  }
  for await (const route of asked(parts.backend.routes(direction, neighbor))) {
    const { neighbor: key, provenance, raw: attributes, ...shown } = route;
    yield {
      ...shown,
      peer: names.get(key) ?? key,
      vrf: key.split("|")[0] ?? "",
      localPref: shown.localPref ?? null,
      med: shown.med ?? null,
      communities: [...shown.communities],
      largeCommunities: [...shown.largeCommunities],
      best: null,
      age: null,
      provenance: [...provenance],
      ...(raw ? { raw: [...attributes] } : {}),
    };
  }
}

/** A speaker that is another process may not answer; that is the world's fault, and told as such. */
async function* asked(
  routes: Iterable<ShownRoute> | AsyncIterable<ShownRoute>,
): AsyncGenerator<ShownRoute> {
  try {
    yield* routes;
  } catch (error) {
    if (!(error instanceof BackendError)) throw error;
    throw new CoreError("SPEAKER_UNREACHABLE", error.message, { cause: error });
  }
}
