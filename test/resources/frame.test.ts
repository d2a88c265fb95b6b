/**
 * What surrounds a spec: dispatch on group and kind, versions, metadata, strictness, plainness, what is not carried.
 */
import { describe, expect, test } from "vitest";
import { notCarried } from "../../events/resources/carried.ts";
import { keyOf } from "../../events/resources/kinds.ts";
import { manifest, parsed, refusals, resourceOf, warnings, type Written } from "./parsing.ts";

const pool = (metadata: Written = {}, more: Written = {}) => ({
  ...manifest("metallb.io/v1beta1", "IPAddressPool", { addresses: ["10.0.0.0/24"] }, metadata),
  ...more,
});

describe("dispatch", () => {
  test.for<[string, unknown, string]>([
    ["text", "text", " wrong-type"],
    ["a list", [], " wrong-type"],
    ["neither apiVersion nor kind", { metadata: {} }, "apiVersion required"],
    ["no kind", { apiVersion: "v1" }, "kind required"],
    ["a kind that is a number", { apiVersion: "v1", kind: 5 }, "kind wrong-type"],
    [
      "an unknown kind of metallb.io",
      { apiVersion: "metallb.io/v1beta1", kind: "Peer" },
      "kind unknown-kind",
    ],
    [
      "an unknown kind of frr-k8s",
      { apiVersion: "frrk8s.metallb.io/v1beta1", kind: "X" },
      "kind unknown-kind",
    ],
    ["an unknown kind of our own", { apiVersion: "rutter/v1", kind: "X" }, "kind unknown-kind"],
    [
      "a kind that was taken out",
      { apiVersion: "metallb.io/v1beta1", kind: "AddressPool" },
      "kind unknown-kind",
    ],
    [
      "a slip of the pen in a known kind",
      { apiVersion: "v1", kind: "Sercive" },
      "kind unknown-kind",
    ],
    [
      "a slip of the pen in a known group",
      { apiVersion: "metalb.io/v1beta1", kind: "IPAddressPool" },
      "apiVersion unknown-group",
    ],
    [
      "a version that is not served",
      pool({}, { apiVersion: "metallb.io/v1" }),
      "apiVersion unknown-version",
    ],
    [
      "a kind named like a property of every object",
      { apiVersion: "rutter/v1", kind: "constructor" },
      "kind unknown-kind",
    ],
  ])("refuses %s", ([, document, complaint]) => {
    expect(refusals(document)).toEqual([complaint]);
  });

  test("a version that is not served is answered with those that are", () => {
    const result = parsed({ apiVersion: "metallb.io/v1", kind: "BGPPeer" });
    expect(JSON.stringify(result)).toContain("metallb.io/v1beta2 or metallb.io/v1beta1");
  });

  test.for<[string, string]>([
    ["apps/v1", "Deployment"],
    ["v1", "Namespace"],
    ["v1", "Node"],
    ["discovery.k8s.io/v1", "EndpointSlice"],
    ["nmstate.io/v1", "NodeNetworkConfigurationPolicy"],
    ["metallb.io/v1beta1", "ServiceBGPStatus"],
    ["metallb.io/v1beta1", "ConfigurationState"],
    ["frrk8s.metallb.io/v1beta1", "FRRNodeState"],
    ["frrk8s.metallb.io/v1beta1", "BGPSessionState"],
    ["networking.gke.io/v1", "BGPSession"],
    ["networking.k8s.io/v1", "Ingress"],
    ["x/v1", "constructor"],
  ])("%s %s is not applicable, with a reason", ([apiVersion, kind]) => {
    const result = parsed({ apiVersion, kind, metadata: { name: "it" } });
    expect(result).toMatchObject({ type: "not-applicable", apiVersion, kind, name: "it" });
    expect(result).toHaveProperty("reason", expect.stringMatching(/\w/));
  });
});

describe("metadata", () => {
  test("keeps what some rule reads and nothing else", () => {
    const metadata = {
      labels: { a: "b" },
      annotations: {
        "kubectl.kubernetes.io/last-applied-configuration": '{"password":"hush"}',
        "metallb.io/address-pool": "p",
        "example.com/x": "y",
      },
      generation: 7,
      creationTimestamp: "2026-01-02T03:04:05Z",
      uid: "u",
      resourceVersion: "9",
      managedFields: [{ manager: "kubectl" }],
      ownerReferences: [],
      finalizers: ["f"],
    };
    expect(resourceOf(pool(metadata))).toHaveProperty("metadata", {
      name: "it",
      namespace: "default",
      labels: { a: "b" },
      annotations: { "metallb.io/address-pool": "p" },
      generation: 7,
      creationTimestamp: "2026-01-02T03:04:05Z",
    });
    expect(warnings(pool(metadata))).toEqual([]);
  });

  test.for<[string, Written, string]>([
    ["an upper-case name", { name: "It" }, "metadata.name bad-value"],
    ["a name with a slash", { name: "a/b" }, "metadata.name bad-value"],
    ["an empty name", { name: "" }, "metadata.name required"],
    ["a name of 254 letters", { name: "a".repeat(254) }, "metadata.name bad-value"],
    ["a name that is a number", { name: 5 }, "metadata.name wrong-type"],
    ["a namespace with a dot", { namespace: "a.b" }, "metadata.namespace bad-value"],
    ["a label that is a number", { labels: { a: 5 } }, "metadata.labels.a wrong-type"],
    [
      "a label value of 64 letters",
      { labels: { a: "a".repeat(64) } },
      "metadata.labels.a bad-value",
    ],
    ["a label key that is none", { labels: { "-a": "b" } }, "metadata.labels.-a bad-value"],
    ["a generation below zero", { generation: -1 }, "metadata.generation out-of-range"],
    [
      "a time that is none",
      { creationTimestamp: "yesterday" },
      "metadata.creationTimestamp bad-value",
    ],
  ])("refuses %s", ([, metadata, complaint]) => {
    expect(refusals(pool(metadata))).toEqual([complaint]);
  });

  test("no metadata means no name", () => {
    expect(refusals(pool({}, { metadata: undefined }))).toEqual(["metadata.name required"]);
  });

  test("a stray name is told where it belongs, and read there where asked", () => {
    const stray = {
      apiVersion: "metallb.io/v1beta1",
      kind: "IPAddressPool",
      name: "it",
      namespace: "ns",
      spec: { addresses: ["10.0.0.0/24"] },
    };
    expect(refusals(stray)).toEqual(["name misplaced-field"]);
    expect(resourceOf(stray, { lenient: true }).metadata).toMatchObject({
      name: "it",
      namespace: "ns",
    });
    expect(warnings(stray, { lenient: true })).toEqual(["name misplaced-field"]);
  });
});

describe("strictness", () => {
  test("a field beside spec is refused in strict kinds and warned of in others", () => {
    expect(refusals(pool({}, { sepc: {} }))).toEqual(["sepc unknown-field"]);
    const service = manifest("v1", "Service", { ports: [] });
    expect(warnings({ ...service, sepc: {} })).toEqual(["sepc unknown-field"]);
  });

  test("a status is read by nobody but Service", () => {
    expect(refusals(pool({}, { status: { assignedIPv4: 3 } }))).toEqual([]);
  });

  test("null is not said, wherever it stands", () => {
    expect(refusals(pool({ creationTimestamp: null, labels: null }, { status: null }))).toEqual([]);
    const advertisement = manifest("metallb.io/v1beta1", "BGPAdvertisement", {
      peers: null,
      localPref: null,
    });
    expect(refusals(advertisement)).toEqual([]);
  });
});

describe("hostile documents", () => {
  test("__proto__ is refused wherever it stands, and changes nothing", () => {
    const text =
      '{"apiVersion":"metallb.io/v1beta1","kind":"IPAddressPool","metadata":{"name":"a","labels":{"__proto__":{"polluted":"yes"}}}}';
    expect(refusals(JSON.parse(text))).toEqual(["metadata.labels.__proto__ unknown-field"]);
    expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false);
  });

  test("nesting ends at 64 levels", () => {
    let deep: unknown = "x";
    for (let i = 0; i < 5000; i += 1) deep = { a: deep };
    expect(refusals(pool({}, { status: deep }))[0]).toMatch(/too-many$/);
  });

  test("a thousand unknown fields are told with the first hundred", () => {
    const spec = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`f${i}`, 1]));
    expect(refusals(manifest("metallb.io/v1beta1", "BGPAdvertisement", spec))).toHaveLength(100);
  });
});

const fields = (document: unknown) => notCarried(resourceOf(document)).map(({ field }) => field);

const peer = (spec: Written) =>
  manifest("metallb.io/v1beta2", "BGPPeer", { myASN: 1, peerASN: 2, ...spec });

describe("what is not carried", () => {
  test("of a BFDProfile: echoes on a multihop session, and nothing else", () => {
    const profile = resourceOf(
      manifest("metallb.io/v1beta1", "BFDProfile", { echoMode: true }, { name: "p" }),
    );
    const user = (spec: Written) => {
      const found = resourceOf(
        peer({ peerAddress: "10.0.0.1", bfdProfile: "p", ...spec }),
      ) as Extract<typeof profile, { type: "metallb.io/BGPPeer" }>;
      return notCarried(profile, [found]).map(({ field }) => field);
    };
    expect(user({})).toEqual([]);
    expect(user({ ebgpMultiHop: true })).toEqual(["spec.echoMode"]);
    expect(user({ ebgpMultiHop: true, bfdProfile: "q" })).toEqual([]);
  });
  test("pools and advertisements act whole; L2Advertisement waits", () => {
    expect(fields(pool())).toEqual([]);
    expect(fields(manifest("metallb.io/v1beta1", "BGPAdvertisement", {}))).toEqual([]);
    expect(fields(manifest("metallb.io/v1beta1", "L2Advertisement", {}))).toEqual(["spec"]);
  });
});

test("a key has group, kind, namespace and name, not the version", () => {
  expect(keyOf(resourceOf(pool({ namespace: "ns" })))).toBe("metallb.io/IPAddressPool/ns/it");
  expect(keyOf(resourceOf(manifest("v1", "Service", {})))).toBe("/Service/default/it");
});
