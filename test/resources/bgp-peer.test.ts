/**
 * BGPPeer of metallb.io: ranges, defaults, exclusions, and the two versions that mean one thing.
 */
import { describe, expect, test } from "vitest";
import {
  fakeSeal,
  manifest,
  parsed,
  refusals,
  resourceOf,
  specOf,
  warnings,
  type Written,
} from "./parsing.ts";
import { parseResource } from "../../events/resources/parse.ts";

const least = { myASN: 64500, peerASN: 64501, peerAddress: "10.0.0.1" };
const peer = (spec: Written, version = "v1beta2") =>
  manifest(`metallb.io/${version}`, "BGPPeer", { ...least, ...spec });
const bare = (spec: Written) => manifest("metallb.io/v1beta2", "BGPPeer", spec);
const spec = (given: Written, version?: string) =>
  specOf("metallb.io/BGPPeer", peer(given, version));

test("the least peer has every default filled in and no timer invented", () => {
  expect(spec({})).toEqual({
    localAsn: 64500,
    remoteAs: { type: "asn", asn: 64501 },
    remote: { type: "address", address: "10.0.0.1", port: 179 },
    timers: { type: "default" },
    nodeSelectors: [],
    authentication: { type: "none" },
    bfdProfile: "",
    enableGracefulRestart: false,
    ebgpMultiHop: false,
    vrf: "",
    dualStackAddressFamily: false,
  });
});

test.for<[string, Written, string]>([
  ["myASN 0", { myASN: 0 }, "spec.myASN out-of-range"],
  ["myASN above four octets", { myASN: 4294967296 }, "spec.myASN out-of-range"],
  ["myASN as text", { myASN: "64500" }, "spec.myASN wrong-type"],
  ["myASN with a fraction", { myASN: 1.5 }, "spec.myASN wrong-type"],
  ["peerASN below zero", { peerASN: -1 }, "spec.peerASN out-of-range"],
  [
    "peerASN together with dynamicASN",
    { dynamicASN: "external" },
    "spec.dynamicASN exclusive-fields",
  ],
  ["an unknown dynamicASN", { peerASN: 0, dynamicASN: "both" }, "spec.dynamicASN not-allowed"],
  ["neither peerASN nor dynamicASN", { peerASN: 0 }, "spec.peerASN required"],
  ["localASN 0", { localASN: 0 }, "spec.localASN out-of-range"],
  ["peerAddress together with interface", { interface: "eth0" }, "spec.interface exclusive-fields"],
  ["neither peerAddress nor interface", { peerAddress: "" }, "spec.peerAddress required"],
  ["a peerAddress that is none", { peerAddress: "10.0.0.256" }, "spec.peerAddress bad-value"],
  ["a multicast peerAddress", { peerAddress: "224.0.0.5" }, "spec.peerAddress bad-value"],
  ["the unspecified peerAddress", { peerAddress: "::" }, "spec.peerAddress bad-value"],
  ["a peerAddress with a zone", { peerAddress: "fe80::1%eth0" }, "spec.peerAddress bad-value"],
  [
    "an interface name of 16 letters",
    { peerAddress: "", interface: "abcdefghijklmnop" },
    "spec.interface bad-value",
  ],
  ["a sourceAddress that is none", { sourceAddress: "eth0" }, "spec.sourceAddress bad-value"],
  [
    "a sourceAddress of another family",
    { sourceAddress: "2001:db8::1" },
    "spec.sourceAddress family-mismatch",
  ],
  ["peerPort 0", { peerPort: 0 }, "spec.peerPort out-of-range"],
  ["peerPort 65536", { peerPort: 65536 }, "spec.peerPort out-of-range"],
  ["holdTime 2s", { holdTime: "2s" }, "spec.holdTime out-of-range"],
  ["holdTime 2.9s, which is cut to 2s", { holdTime: "2.9s" }, "spec.holdTime out-of-range"],
  ["holdTime below zero", { holdTime: "-5s" }, "spec.holdTime out-of-range"],
  ["a holdTime that two octets cannot hold", { holdTime: "65536s" }, "spec.holdTime out-of-range"],
  ["holdTime as a number", { holdTime: 90 }, "spec.holdTime wrong-type"],
  ["holdTime without a unit", { holdTime: "90" }, "spec.holdTime bad-value"],
  [
    "keepaliveTime above holdTime",
    { holdTime: "9s", keepaliveTime: "10s" },
    "spec.keepaliveTime out-of-range",
  ],
  [
    "keepaliveTime below a second",
    { holdTime: "9s", keepaliveTime: "500ms" },
    "spec.keepaliveTime out-of-range",
  ],
  [
    "a keepaliveTime whose triple does not fit",
    { keepaliveTime: "30000s" },
    "spec.keepaliveTime out-of-range",
  ],
  ["connectTime 0", { connectTime: "0s" }, "spec.connectTime out-of-range"],
  ["connectTime with a fraction", { connectTime: "1500ms" }, "spec.connectTime out-of-range"],
  ["connectTime above 65535s", { connectTime: "65536s" }, "spec.connectTime out-of-range"],
  ["a routerID in IPv6 form", { routerID: "2001:db8::1" }, "spec.routerID bad-value"],
  ["routerID 0.0.0.0", { routerID: "0.0.0.0" }, "spec.routerID bad-value"],
  [
    "ebgpMultiHop to a peer of the own AS",
    { peerASN: 64500, ebgpMultiHop: true },
    "spec.ebgpMultiHop exclusive-fields",
  ],
  [
    "password together with passwordSecret",
    { password: "x", passwordSecret: { name: "s" } },
    "spec.password exclusive-fields",
  ],
  ["a password of 81 octets", { password: "x".repeat(81) }, "spec.password out-of-range"],
  [
    "a Secret's namespace without its name",
    { passwordSecret: { namespace: "n" } },
    "spec.passwordSecret.name required",
  ],
  ["an unknown field", { peerAsn: 1 }, "spec.peerAsn unknown-field"],
  [
    "an unknown field of a part",
    { passwordSecret: { nmae: "s" } },
    "spec.passwordSecret.nmae unknown-field",
  ],
  [
    "two equal nodeSelectors",
    { nodeSelectors: [{ matchLabels: { a: "b", c: "d" } }, { matchLabels: { c: "d", a: "b" } }] },
    "spec.nodeSelectors[1] duplicate",
  ],
  [
    "two equal values in a nodeSelector",
    { nodeSelectors: [{ matchExpressions: [{ key: "a", operator: "In", values: ["x", "x"] }] }] },
    "spec.nodeSelectors[0].matchExpressions[0].values[1] duplicate",
  ],
  [
    "In without values",
    { nodeSelectors: [{ matchExpressions: [{ key: "a", operator: "In" }] }] },
    "spec.nodeSelectors[0].matchExpressions[0].values required",
  ],
  [
    "Exists with values",
    { nodeSelectors: [{ matchExpressions: [{ key: "a", operator: "Exists", values: ["x"] }] }] },
    "spec.nodeSelectors[0].matchExpressions[0].values exclusive-fields",
  ],
  [
    "an unknown operator",
    { nodeSelectors: [{ matchExpressions: [{ key: "a", operator: "Near" }] }] },
    "spec.nodeSelectors[0].matchExpressions[0].operator not-allowed",
  ],
  [
    "a label value that is none",
    { nodeSelectors: [{ matchLabels: { a: "b c" } }] },
    "spec.nodeSelectors[0].matchLabels.a bad-value",
  ],
])("refuses %s", ([, given, complaint]) => {
  expect(refusals(peer(given))).toEqual([complaint]);
});

test("a missing myASN is required", () => {
  expect(refusals(bare({ peerASN: 1, peerAddress: "10.0.0.1" }))).toEqual(["spec.myASN required"]);
});

test("an unknown field names the one that was probably meant", () => {
  const result = parsed(peer({ peeraddress: "10.0.0.9" }));
  expect(JSON.stringify(result)).toContain("did you mean peerAddress?");
});

test.for<[string, Written, object]>([
  [
    "hold alone: keepalive is a third",
    { holdTime: "10s" },
    { holdTimeSeconds: 10, keepaliveTimeSeconds: 3 },
  ],
  [
    "keepalive alone: hold is three times",
    { keepaliveTime: "1m30s" },
    { holdTimeSeconds: 270, keepaliveTimeSeconds: 90 },
  ],
  [
    "both as they are",
    { holdTime: "9s", keepaliveTime: "9s" },
    { holdTimeSeconds: 9, keepaliveTimeSeconds: 9 },
  ],
  [
    "fractions are cut",
    { holdTime: "3.9s", keepaliveTime: "1900ms" },
    { holdTimeSeconds: 3, keepaliveTimeSeconds: 1 },
  ],
  [
    "hold 0 needs no keepalives",
    { holdTime: "0s" },
    { holdTimeSeconds: 0, keepaliveTimeSeconds: 0 },
  ],
  [
    "the longest hold time",
    { holdTime: "65535s" },
    { holdTimeSeconds: 65535, keepaliveTimeSeconds: 21845 },
  ],
])("timers: %s", ([, given, timers]) => {
  expect(spec(given).timers).toEqual({ type: "given", ...timers });
});

test("no keepalives beside a hold time is what older tools print for `not said`: derived, with a warning", () => {
  expect(spec({ holdTime: "90s", keepaliveTime: "0s" }).timers).toMatchObject({
    keepaliveTimeSeconds: 30,
  });
  expect(warnings(peer({ holdTime: "90s", keepaliveTime: "0s" }))).toEqual([
    "spec.keepaliveTime ignored",
  ]);
});

test("every other field is carried into the canonical spec", () => {
  expect(
    specOf(
      "metallb.io/BGPPeer",
      bare({
        myASN: 4294967295,
        localASN: 65010,
        dynamicASN: "internal",
        interface: "eth1",
        peerPort: 1179,
        connectTime: "1m",
        routerID: "192.0.2.1",
        bfdProfile: "fast",
        enableGracefulRestart: true,
        ebgpMultiHop: true,
        vrf: "red",
        disableMP: false,
        dualStackAddressFamily: true,
        passwordSecret: { name: "key" },
        nodeSelectors: [
          { matchExpressions: [{ key: "zone", operator: "NotIn", values: ["b", "a"] }] },
        ],
      }),
    ),
  ).toEqual({
    localAsn: 4294967295,
    localAsnOverride: 65010,
    remoteAs: { type: "internal" },
    remote: { type: "interface", interface: "eth1", port: 1179 },
    timers: { type: "default" },
    connectTimeSeconds: 60,
    routerId: "192.0.2.1",
    nodeSelectors: [
      {
        matchLabels: {},
        matchExpressions: [{ key: "zone", operator: "NotIn", values: ["a", "b"] }],
      },
    ],
    authentication: { type: "reference", name: "key", namespace: "default" },
    bfdProfile: "fast",
    enableGracefulRestart: true,
    ebgpMultiHop: true,
    vrf: "red",
    dualStackAddressFamily: true,
  });
});

test("addresses are canonical, and IPv4-mapped ones are IPv4", () => {
  expect(spec({ peerAddress: "2001:DB8:0:0::1", sourceAddress: "2001:db8::0:2" })).toMatchObject({
    remote: { address: "2001:db8::1" },
    sourceAddress: "2001:db8::2",
  });
  expect(spec({ peerAddress: "::ffff:10.0.0.9" })).toMatchObject({
    remote: { address: "10.0.0.9" },
  });
});

test("ports above 16384 work and warn that they are not portable", () => {
  expect(spec({ peerPort: 65535 }).remote).toMatchObject({ port: 65535 });
  expect(warnings(peer({ peerPort: 16385 }))).toEqual(["spec.peerPort not-portable"]);
  expect(warnings(peer({ peerPort: 16384 }))).toEqual([]);
});

test("ebgpMultiHop with dynamicASN internal is let through, as upstream does", () => {
  expect(refusals(peer({ peerASN: 0, dynamicASN: "internal", ebgpMultiHop: true }))).toEqual([]);
});

test("disableMP warns that it does nothing", () => {
  expect(warnings(peer({ disableMP: true }))).toEqual(["spec.disableMP ignored"]);
});

describe("an inline password", () => {
  test("leaves a reference and no trace of its value", () => {
    const resource = resourceOf(peer({ password: "hush-hush" }));
    expect(resource.spec).toMatchObject({
      authentication: {
        type: "inline",
        secret: { name: "metallb.io/BGPPeer/default/it#password" },
      },
    });
    expect(JSON.stringify(resource)).not.toContain("hush");
  });

  test("is not sealed while anything of the resource is refused", () => {
    const sealed: string[] = [];
    const seal = (name: string, value: string) => {
      sealed.push(name);
      return fakeSeal(name, value);
    };
    parseResource(peer({ password: "hush", peerPort: 0 }), seal);
    parseResource(peer({ password: "hush", myASN: 0 }), seal);
    expect(sealed).toEqual([]);
    parseResource(peer({ password: "hush" }), seal);
    expect(sealed).toHaveLength(1);
  });

  test("does not stand in the complaint about it", () => {
    expect(JSON.stringify(parsed(peer({ password: "hush".repeat(30) })))).not.toContain("hush");
  });
});

describe("v1beta1", () => {
  test("gives the same canonical spec as v1beta2", () => {
    const given = { holdTime: "30s", ebgpMultiHop: true, bfdProfile: "p", peerPort: 1179 };
    expect(spec(given, "v1beta1")).toEqual(spec(given));
  });

  test("says `not set` with zero", () => {
    expect(spec({ peerPort: 0, holdTime: "0s", keepaliveTime: "0s" }, "v1beta1")).toMatchObject({
      remote: { port: 179 },
      timers: { type: "default" },
    });
  });

  test.for([
    "passwordSecret",
    "vrf",
    "connectTime",
    "dynamicASN",
    "interface",
    "enableGracefulRestart",
    "disableMP",
    "dualStackAddressFamily",
    "localASN",
  ])("does not know %s", (field) => {
    expect(refusals(peer({ [field]: "x" }, "v1beta1"))).toEqual([`spec.${field} unknown-field`]);
  });

  test("wants at least one value in each expression", () => {
    const exists = {
      nodeSelectors: [{ matchExpressions: [{ key: "a", operator: "Exists", values: [] }] }],
    };
    expect(refusals(peer(exists, "v1beta1"))).toEqual([
      "spec.nodeSelectors[0].matchExpressions[0].values required",
    ]);
    expect(refusals(peer(exists))).toEqual([]);
  });
});
