/**
 * Another program version, another plan: what of it no event explains, and how it is held back.
 *
 * Pure. The desired state as it was at the last apply is planned with today's code and laid beside what was recorded as
 * told; whatever differs is the version's doing. Withdrawals and resets in it wait for `rutter confirm` (design §4).
 */
import { classify, exportsFromText } from "../../backends/delta.ts";
import {
  type NeighborIntent,
  NO_SPEAKER,
  type OwnRoute,
  type RouterIntent,
  type SpeakerIntent,
} from "../../backends/intent.ts";
import type { NeighborKey } from "../../events/ids.ts";
import { PersistentMap } from "../../events/persistent-map.ts";
import type { State, Wire, WireKey } from "../../events/state.ts";
import type { Plan } from "../plan/plan.ts";
import { parametersText, splitWireKey } from "./effects.ts";

export type Unexplained = {
  /** Told before, and told to fewer or to nobody now. */
  readonly withdrawals: readonly WireKey[];
  /** Neighbours that are gone now, or whose parameters differ in a way that resets the session. */
  readonly resets: readonly NeighborKey[];
};

export const explained: Unexplained = { withdrawals: [], resets: [] };

export const nothingUnexplained = ({ withdrawals, resets }: Unexplained): boolean =>
  withdrawals.length + resets.length === 0;

/** `then` is the plan of the desired state at the last apply, made by this program. */
export function unexplained(then: SpeakerIntent, wire: Wire): Unexplained {
  const routers = new Map(then.routers.map((router) => [router.key, router]));
  const withdrawals = [...wire.routes].flatMap(([key, text]) => {
    const [router, prefix] = splitWireKey(key);
    const now = routers.get(router)?.routes.get(prefix)?.exports ?? [];
    const still = new Set(now.flatMap(({ to }) => to));
    const missing = exportsFromText(text).some(({ to }) => to.some((one) => !still.has(one)));
    return missing ? [key] : [];
  });
  const neighbors = new Map(
    then.routers.flatMap((router) => router.neighbors.map((one) => [one.key, one] as const)),
  );
  const resets = [...wire.neighbors].flatMap(([key, told]) => {
    const now = neighbors.get(key);
    if (now === undefined) return [key];
    if (parametersText(now) === told.parameters) return [];
    return classify(neighborFromText(told.parameters), now).effect === "hard" ? [key] : [];
  });
  return { withdrawals: withdrawals.toSorted(), resets: resets.toSorted() };
}

/** `intent` with what is held put back as it was told. */
export function holdBack(intent: SpeakerIntent, held: Unexplained, wire: Wire): SpeakerIntent {
  if (nothingUnexplained(held)) return intent;
  const routers = new Map(intent.routers.map((router) => [router.key, router]));
  for (const key of held.resets) {
    const told = wire.neighbors.get(key);
    if (told === undefined) continue;
    const neighbor = neighborFromText(told.parameters);
    const router = routers.get(told.router) ?? routerFromKey(told.router);
    const others = router.neighbors.filter((one) => one.key !== key);
    const neighbors = [...others, neighbor].toSorted((a, b) => (a.key < b.key ? -1 : 1));
    routers.set(told.router, { ...router, neighbors });
  }
  for (const key of held.withdrawals) {
    const text = wire.routes.get(key);
    const [name, prefix] = splitWireKey(key);
    const router = routers.get(name);
    if (text === undefined || router === undefined) continue;
    const route: OwnRoute = { prefix, exports: exportsFromText(text), provenance: [wire.fact] };
    routers.set(name, { ...router, routes: router.routes.set(prefix, route) });
  }
  return { ...intent, routers: [...routers.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1)) };
}

/**
 * The plan with what the log says that each speaker was told in place of what it is to be told. Of raw lines, leaking and EVPN the
 * log has a digest alone: these are the plan's.
 */
export function asRecorded(planned: Plan, wires: State["wires"]): Plan {
  const speakers = Object.entries(planned.speakers).map(([name, intent]) => {
    const wire = wires[name];
    return [name, wire === undefined ? NO_SPEAKER : recordedIntent(intent, wire)] as const;
  });
  return { ...planned, speakers: Object.fromEntries(speakers) };
}

function recordedIntent(planned: SpeakerIntent, wire: Wire): SpeakerIntent {
  const all = { withdrawals: [...wire.routes.keys()], resets: [...wire.neighbors.keys()] };
  const beside = new Map(planned.routers.map((router) => [router.key, router]));
  const { routers } = holdBack(NO_SPEAKER, all, wire);
  return {
    raw: planned.raw,
    routers: routers.map((router) => {
      const { imports, evpn } = beside.get(router.key) ?? router;
      return { ...router, imports, evpn };
    }),
  };
}

/** Members that were undefined are absent in JSON; the readers of an intent see undefined for both. */
function neighborFromText(text: string): NeighborIntent {
  const read = JSON.parse(text) as Omit<NeighborIntent, "provenance" | "carriesEvpn"> &
    Partial<Pick<NeighborIntent, "carriesEvpn">>;
  return { ...read, carriesEvpn: read.carriesEvpn ?? false, provenance: [] };
}

function routerFromKey(key: string): RouterIntent {
  const [vrf = "", localAs = "0", routerId = ""] = key.split("|");
  return {
    key,
    vrf,
    localAs: Number(localAs) as RouterIntent["localAs"],
    routerId: routerId === "" ? undefined : (routerId as RouterIntent["routerId"]),
    neighbors: [],
    routes: PersistentMap.empty(),
    imports: [],
    evpn: undefined,
  };
}
