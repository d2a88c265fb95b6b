/**
 * Small intents for the renderer: a neighbour is what a test says of it, and usual otherwise.
 */
import type {
  NeighborIntent,
  OwnRoute,
  RouterIntent,
  SpeakerIntent,
} from "../../backends/intent.ts";
import type { BfdTiming } from "../../backends/bfd/intent.ts";
import type { RevealSecret } from "../../backends/backend.ts";
import type { FrrVersion } from "../../backends/frr/version.ts";
import { familyOf, parseAddress } from "../../events/address.ts";
import { asn, type NeighborKey, neighborKey, type ResourceKey } from "../../events/ids.ts";
import { PersistentMap } from "../../events/persistent-map.ts";
import { type Prefix, prefix } from "../../events/prefix.ts";

/** Debian 12's, which the live tests have. */
export const VERSION_8: FrrVersion = { major: 8, minor: 4, profile: "traditional" };

export const keyOf = (remote: string, vrf = ""): NeighborKey => neighborKey(vrf, remote, "");

export type Said = Partial<NeighborIntent> & { readonly vrf?: string };

/** `remote` is an address, or an interface where it is none. */
export function neighbor(remote: string, { vrf = "", ...said }: Said = {}): NeighborIntent {
  const at = parseAddress(remote);
  return {
    key: keyOf(remote, vrf),
    name: `to-${remote}`,
    backend: "frr",
    remoteAs: { type: "asn", asn: asn(64_513) },
    remote:
      at === undefined
        ? { type: "interface", interface: remote }
        : { type: "address", address: at, port: 179 },
    localAddress: undefined,
    localAsOverride: undefined,
    holdTimeSeconds: 180,
    keepaliveTimeSeconds: 60,
    connectRetrySeconds: 60,
    timeToLive: 1,
    authentication: undefined,
    families: at === undefined ? ["ipv4", "ipv6"] : [familyOf(at)],
    carriesEvpn: false,
    gracefulRestart: undefined,
    waitsForBfd: false,
    speakerBfd: undefined,
    receive: { type: "nothing" },
    receiveGuard: undefined,
    provenance: [],
    ...said,
  };
}

export function router(
  neighbors: readonly NeighborIntent[],
  said: Partial<Omit<RouterIntent, "key" | "neighbors">> = {},
): RouterIntent {
  const { vrf = "", localAs = asn(64_512), routerId } = said;
  return {
    key: `${vrf}|${localAs}|${routerId ?? ""}`,
    vrf,
    localAs,
    routerId,
    neighbors,
    routes: PersistentMap.empty(),
    imports: [],
    evpn: undefined,
    ...said,
  };
}

export const speaker = (
  routers: readonly RouterIntent[],
  ...raw: readonly string[]
): SpeakerIntent => ({
  routers,
  raw: raw.map((text) => ({
    owner: "raw" as ResourceKey,
    raw: { text, secrets: [] },
    provenance: [],
  })),
});

type Attributes = OwnRoute["exports"][number]["attributes"];
const PLAIN: Attributes = {
  localPref: undefined,
  med: undefined,
  communities: [],
  largeCommunities: [],
  nextHop: undefined,
};
/** `exports` of routes that are told to these neighbours so. */
export const to = (
  keys: readonly NeighborKey[],
  attributes: Partial<Attributes> = {},
): OwnRoute["exports"] => [{ to: keys, attributes: { ...PLAIN, ...attributes } }];

/** Routes that are told alike: how, and which. */
export type Group = readonly [OwnRoute["exports"], ...string[]];

export const routes = (...groups: readonly Group[]): PersistentMap<Prefix, OwnRoute> =>
  PersistentMap.from(
    groups.flatMap(([exports, ...texts]) =>
      texts.map((text) => {
        const of = prefix(text);
        return [of, { prefix: of, exports, provenance: [] }] as const;
      }),
    ),
  );

export const timing = (said: Partial<BfdTiming> = {}): BfdTiming => ({
  transmitIntervalMillis: 300,
  receiveIntervalMillis: 300,
  detectMultiplier: 3,
  echoIntervalMillis: undefined,
  passive: false,
  minimumTimeToLive: 255,
  ...said,
});

export const secret = (name: string): NeighborIntent["authentication"] => ({
  type: "tcp-md5",
  secret: { name, version: "1", digest: name },
});

const SECRETS: Readonly<Record<string, string>> = {
  plain: "geheim",
  odd: '"q\\?;$(x)`%s&<>{}[]*~^|!#',
  longest: "x".repeat(80),
  blank: "two words",
  long: "x".repeat(81),
  lines: "one\nno router bgp",
};
export const reveal: RevealSecret = ({ name }) => SECRETS[name];
