/**
 * `get intent` as JSON: what the plan hands to the backends, neutral, also for peers that are down (design §8).
 *
 * Mirrors backends/intent.ts field by field with null for undefined; it never holds a secret, only the reference to one.
 */
import * as z from "zod";
import { RemoteAsJson } from "./contract.ts";

const FamilyJson = z.enum(["ipv4", "ipv6"]);

export const NeighborJson = z.object({
  key: z.string(),
  name: z.string(),
  backend: z.enum(["native", "frr", "gobgp"]),
  remoteAs: RemoteAsJson,
  address: z.string().nullable(),
  port: z.int().nullable(),
  interface: z.string().nullable(),
  localAddress: z.string().nullable(),
  /** Device whose address is spoken from; null: localAddress says it. */
  localInterface: z.string().nullable(),
  localAsOverride: z.int().nullable(),
  holdTime: z.int(),
  keepaliveTime: z.int(),
  connectRetryTime: z.int(),
  timeToLive: z.int(),
  /** Which secret, never its value. */
  authentication: z
    .object({ type: z.literal("tcp-md5"), secret: z.string(), version: z.string() })
    .nullable(),
  families: z.array(FamilyJson),
  gracefulRestart: z.object({ restartTime: z.int() }).nullable(),
  waitsForBfd: z.boolean(),
  carriesEvpn: z.boolean(),
  /** Kept by the speaker's own BFD daemon; null: by the BFD engine, or nobody asked. Milliseconds. */
  speakerBfd: z
    .object({
      profile: z.string(),
      multihop: z.boolean(),
      transmitInterval: z.int(),
      receiveInterval: z.int(),
      detectMultiplier: z.int(),
      echoInterval: z.int().nullable(),
      passiveMode: z.boolean(),
      minimumTtl: z.int(),
    })
    .nullable(),
  /** What holds whatever `receive` says. */
  receiveGuard: z
    .object({
      alwaysBlock: z.array(z.string()),
      maximumPrefixes: z.record(z.string(), z.unknown()),
    })
    .nullable(),
  receive: z.discriminatedUnion("type", [
    z.object({ type: z.literal("nothing") }),
    z.object({ type: z.literal("everything") }),
    z.object({
      type: z.literal("prefixes"),
      prefixes: z.array(z.object({ prefix: z.string(), atLeast: z.int(), atMost: z.int() })),
    }),
  ]),
  provenance: z.array(z.string()),
});

export const OwnRouteJson = z.object({
  prefix: z.string(),
  exports: z.array(
    z.object({
      /** Keys of neighbours. */
      to: z.array(z.string()),
      localPref: z.int().nullable(),
      med: z.int().nullable(),
      communities: z.array(z.string()),
      largeCommunities: z.array(z.string()),
      /** Null: the session's own address. */
      nextHop: z.string().nullable(),
    }),
  ),
  provenance: z.array(z.string()),
});

export const IntentJson = z.object({
  routers: z.array(
    z.object({
      key: z.string(),
      vrf: z.string(),
      localAs: z.int(),
      routerId: z.string().nullable(),
      neighbors: z.array(NeighborJson),
      routes: z.array(OwnRouteJson),
      /** VRFs whose routes are leaked into this one; empty text: the default one. */
      imports: z.array(z.string()),
      evpn: z.record(z.string(), z.unknown()).nullable(),
    }),
  ),
  /** Lines in the speaker's own language, behind everything else; a placeholder stands for each secret. */
  raw: z.array(z.object({ owner: z.string(), text: z.string(), provenance: z.array(z.string()) })),
  kernel: z.object({
    /** Own entries, each by the name that the log has for it. */
    entries: z.array(z.object({ entry: z.string(), provenance: z.array(z.string()) })),
    /** Import rules, in order of precedence. */
    rules: z.array(
      z.object({
        name: z.string(),
        vrf: z.string(),
        /** Keys of neighbours; null: everybody's. */
        neighbors: z.array(z.string()).nullable(),
        prefixes: z.array(z.object({ prefix: z.string(), atLeast: z.int(), atMost: z.int() })),
        /** null: the VRF's own, or main. */
        /** Null: the VRF's own. A VRF (empty text: main): it is leaked into that one. */
        table: z.union([z.int(), z.object({ vrf: z.string() })]).nullable(),
        metric: z.int(),
        maximum: z.int(),
        acceptDefault: z.boolean(),
        provenance: z.array(z.string()),
      }),
    ),
    /** What of the kernel is announced: rules, by the RouteExport that each is from. */
    exports: z.array(
      z.object({
        rule: z.string(),
        vrf: z.string(),
        from: z.looseObject({ type: z.enum(["kernel-routes", "connected", "addresses"]) }),
        prefixes: z.array(z.object({ prefix: z.string(), atLeast: z.int(), atMost: z.int() })),
        maximum: z.int(),
        exportDefault: z.boolean(),
        provenance: z.array(z.string()),
      }),
    ),
  }),
  bfd: z.array(
    z.object({
      key: z.string(),
      vrf: z.string(),
      peer: z.string(),
      localAddress: z.string().nullable(),
      interface: z.string().nullable(),
      multihop: z.boolean(),
      /** Milliseconds, before negotiation. */
      transmitInterval: z.int(),
      receiveInterval: z.int(),
      detectMultiplier: z.int(),
      authentication: z.string().nullable(),
      /** null: no echo function. */
      echoInterval: z.int().nullable(),
      passiveMode: z.boolean(),
      minimumTtl: z.int(),
      /** Keys of the neighbours that it guards. */
      guards: z.array(z.string()),
      provenance: z.array(z.string()),
    }),
  ),
});
export type IntentJson = z.infer<typeof IntentJson>;
