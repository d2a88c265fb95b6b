/**
 * `get intent`: the plan's intents as JSON (agent/api/intent-json.ts), field by field, null for undefined.
 *
 * Pure. Never resolves a secret.
 */
import type {
  ExportAttributes,
  NeighborIntent,
  OwnRoute,
  RawSnippet,
  RouterIntent,
  SpeakerBfd,
} from "../../backends/intent.ts";
import { comparePrefixes } from "../../events/prefix.ts";
import type { IntentJson } from "../api/intent-json.ts";
import type { Plan } from "../plan/plan.ts";
import { bfdIntentView } from "./bfd-view.ts";
import { kernelIntentView } from "./kernel-view.ts";

type RouterJson = IntentJson["routers"][number];

/** Routers of all backends, in order of key. */
export function intentView(plan: Plan): IntentJson {
  const routers = Object.values(plan.speakers)
    .flatMap((speaker) => speaker?.routers ?? [])
    .map(routerView)
    .toSorted((a, b) => (a.key < b.key ? -1 : 1));
  const raw = Object.values(plan.speakers).flatMap((speaker) => speaker?.raw.map(rawView) ?? []);
  return { routers, raw, kernel: kernelIntentView(plan.kernel), bfd: bfdIntentView(plan.bfd) };
}

const rawView = ({ owner, raw, provenance }: RawSnippet): IntentJson["raw"][number] => ({
  owner,
  text: raw.text,
  provenance: [...provenance],
});

const routerView = (router: RouterIntent): RouterJson => ({
  key: router.key,
  vrf: router.vrf,
  localAs: router.localAs,
  routerId: router.routerId ?? null,
  neighbors: router.neighbors.map(neighborView),
  routes: [...router.routes.values()]
    .toSorted((a, b) => comparePrefixes(a.prefix, b.prefix))
    .map(routeView),
  imports: [...router.imports],
  evpn: router.evpn === undefined ? null : { ...router.evpn },
});

function neighborView(neighbor: NeighborIntent): RouterJson["neighbors"][number] {
  const { remote, remoteAs, receive } = neighbor;
  return {
    key: neighbor.key,
    name: neighbor.name,
    backend: neighbor.backend,
    remoteAs: remoteAs.type === "asn" ? remoteAs.asn : remoteAs.type,
    address: remote.type === "address" ? remote.address : null,
    port: remote.type === "address" ? remote.port : null,
    interface: remote.type === "interface" ? remote.interface : null,
    localAddress: neighbor.localAddress ?? null,
    localInterface: neighbor.localInterface ?? null,
    localAsOverride: neighbor.localAsOverride ?? null,
    holdTime: neighbor.holdTimeSeconds,
    keepaliveTime: neighbor.keepaliveTimeSeconds,
    connectRetryTime: neighbor.connectRetrySeconds,
    timeToLive: neighbor.timeToLive,
    authentication:
      neighbor.authentication === undefined
        ? null
        : {
            type: "tcp-md5",
            secret: neighbor.authentication.secret.name,
            version: neighbor.authentication.secret.version,
          },
    families: [...neighbor.families],
    gracefulRestart:
      neighbor.gracefulRestart === undefined
        ? null
        : { restartTime: neighbor.gracefulRestart.restartTimeSeconds },
    waitsForBfd: neighbor.waitsForBfd,
    carriesEvpn: neighbor.carriesEvpn,
    speakerBfd: neighbor.speakerBfd === undefined ? null : speakerBfdView(neighbor.speakerBfd),
    receiveGuard:
      neighbor.receiveGuard === undefined
        ? null
        : {
            alwaysBlock: [...neighbor.receiveGuard.alwaysBlock],
            maximumPrefixes: { ...neighbor.receiveGuard.maximumPrefixes },
          },
    receive:
      receive.type === "prefixes"
        ? { type: "prefixes", prefixes: receive.prefixes.map((one) => ({ ...one })) }
        : { type: receive.type },
    provenance: [...neighbor.provenance],
  };
}

const speakerBfdView = ({ profile, multihop, timing }: SpeakerBfd) => ({
  profile,
  multihop,
  transmitInterval: timing.transmitIntervalMillis,
  receiveInterval: timing.receiveIntervalMillis,
  detectMultiplier: timing.detectMultiplier,
  echoInterval: timing.echoIntervalMillis ?? null,
  passiveMode: timing.passive,
  minimumTtl: timing.minimumTimeToLive,
});

const routeView = (route: OwnRoute): RouterJson["routes"][number] => ({
  prefix: route.prefix,
  exports: route.exports.map(({ to, attributes }) => ({
    to: [...to],
    ...attributesView(attributes),
  })),
  provenance: [...route.provenance],
});

const attributesView = (attributes: ExportAttributes) => ({
  localPref: attributes.localPref ?? null,
  med: attributes.med ?? null,
  communities: attributes.communities.map(communityText),
  largeCommunities: [...attributes.largeCommunities],
  nextHop: attributes.nextHop ?? null,
});

/** RFC 1997: the two halves of the number, as operators write them. */
export const communityText = (community: number): string =>
  `${community >>> 16}:${community & 0xffff}`;
