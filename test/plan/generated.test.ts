/**
 * The FRRConfiguration of MetalLB's kinds: what stands in it, and that it comes to the same sessions and routes when it is applied.
 */
import { describe, expect, test } from "vitest";
import { generatedConfiguration } from "../../agent/plan/generated.ts";
import { plan, type Plan } from "../../agent/plan/plan.ts";
import type { PlanOptions } from "../../agent/plan/options.ts";
import {
  advertisement,
  asideIn,
  community,
  configuration,
  options,
  password,
  peer,
  pool,
  service,
  together,
  type World,
  world,
} from "./world.ts";

const able: PlanOptions = {
  ...options,
  capabilities: { has: new Set(["tcp-md5", "local-as", "vrf", "unnumbered"]), missing: new Map() },
};
const planned = ({ desired }: World): Plan => plan(desired, able);
const profile =
  "apiVersion: metallb.io/v1beta1\nkind: BFDProfile\nmetadata: {name: fast, namespace: metallb-system}\nspec: {receiveInterval: 50, echoMode: true, minimumTtl: 200}";
const secret = password("key", "hush");
const rich = together(
  pool("one", ["192.0.2.0/28", "2001:db8:1::/120"]),
  community("names", { far: "65000:7" }),
  secret,
  profile,
  peer("p1", "10.0.0.1", { bfdProfile: "fast", passwordSecret: { name: "key" }, localASN: 64600 }),
  peer("p2", "10.0.0.2", {
    ebgpMultiHop: true,
    sourceAddress: "10.9.9.9",
    peerPort: 1179,
    holdTime: "30s",
    connectTime: "7s",
    enableGracefulRestart: true,
    dualStackAddressFamily: true,
    bfdProfile: "fast",
  }),
  peer("p3", "2001:db8::3", { peerASN: undefined, dynamicASN: "external" }),
  peer("p4", "10.0.0.4", { vrf: "red", routerID: "1.1.1.1" }),
  advertisement("ad", { communities: ["far", "large:1:2:3"], peers: ["p1", "p2"], localPref: 300 }),
  advertisement("wide", {
    aggregationLength: 28,
    aggregationLengthV6: 120,
    communities: ["65000:8"],
  }),
  service("s", { ipFamilyPolicy: "RequireDualStack", ipFamilies: ["IPv4", "IPv6"] }),
  service("t"),
);

/** Everything of an intent but whose it is: names and provenance. */
const contentOf = (made: Plan) => ({
  routers: made.speakers.native!.routers.map(({ neighbors, routes, ...router }) => ({
    ...router,
    neighbors: neighbors.map(({ name: _name, provenance: _facts, ...rest }) => rest),
    routes: [...routes.values()]
      .map(({ prefix, exports }) => ({ prefix, exports }))
      .toSorted((a, b) => (a.prefix < b.prefix ? -1 : 1)),
  })),
  bfd: made.bfd.sessions.map(({ provenance: _facts, ...rest }) => rest),
});

describe("the generated FRRConfiguration", () => {
  const made = world({}, rich);
  const { metadata, spec } = generatedConfiguration(made.desired);
  test("applied to another host of that name it comes to the same intent", () => {
    const text = JSON.stringify(generatedConfiguration(made.desired));
    const other = world({}, together(secret, text));
    expect(asideIn(other)).toEqual({});
    expect(planned(other).notCarried).toEqual([]);
    expect(
      planned(made).speakers.native!.routers.flatMap(({ routes }) => [...routes.keys()]),
    ).toHaveLength(6);
    expect(contentOf(planned(other))).toEqual(contentOf(planned(made)));
  });
  test("is for this node alone, and says that nobody wrote it", () => {
    expect(metadata).toMatchObject({
      name: "metallb-host-1",
      namespace: "metallb-system",
      labels: { "rutter/generated": "true" },
    });
    expect(spec).toMatchObject({
      nodeSelector: { matchLabels: { "kubernetes.io/hostname": "host-1" } },
      bgp: { bfdProfiles: [{ name: "fast", receiveInterval: 50 }] },
    });
  });
  test("carries what upstream drops, names what it is told, and receives nothing", () => {
    const two = peer("p2", "10.0.0.2", { sourceAddress: "10.9.9.9", localASN: 64600 });
    const small = world(
      {},
      together(pool("one", ["192.0.2.7/32"]), two, advertisement("a"), service("s")),
    );
    expect(generatedConfiguration(small.desired).spec).toEqual({
      bgp: {
        routers: [
          {
            asn: 64512,
            prefixes: ["192.0.2.7/32"],
            neighbors: [
              {
                asn: 64999,
                address: "10.0.0.2",
                sourceaddress: "10.9.9.9",
                localASN: 64600,
                holdTime: "90s",
                keepaliveTime: "30s",
                connectTime: "120s",
                toAdvertise: { allowed: { mode: "filtered", prefixes: ["192.0.2.7/32"] } },
              },
            ],
          },
        ],
      },
      nodeSelector: { matchLabels: { "kubernetes.io/hostname": "host-1" } },
    });
  });
  test("a host that no peer selects has no routers", () => {
    const elsewhere = peer("p", "10.0.0.1", { nodeSelectors: [{ matchLabels: { rack: "r2" } }] });
    expect(generatedConfiguration(world({}, elsewhere).desired).spec).toMatchObject({
      bgp: { routers: [] },
    });
  });
  test("says nothing of what FRRConfigurations say", () => {
    const own = configuration("a", [
      { asn: 64512, prefixes: ["10.1.0.0/16"], neighbors: [{ asn: 1, address: "10.0.0.9" }] },
    ]);
    const { spec: without } = generatedConfiguration(world({}, together(rich, own)).desired);
    expect(without).toEqual(spec);
  });
  test("names who is left out, and a Secret that is to be made", () => {
    const mixed = world(
      {},
      together(
        peer("p1", "10.0.0.1", { password: "hush" }),
        peer("p2", "10.0.0.2", { myASN: 64600 }),
      ),
    );
    const { metadata: said, spec: text } = generatedConfiguration(mixed.desired);
    expect(said.annotations).toMatchObject({
      "rutter/left-out": "p2",
      "rutter/needs-secret": "metallb-system/p1-password: the password of BGPPeer p1",
    });
    expect(JSON.stringify(text)).toContain('"passwordSecret":{"name":"p1-password"');
    expect(JSON.stringify(text)).not.toContain("hush");
  });
});
