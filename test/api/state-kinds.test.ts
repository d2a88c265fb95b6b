/**
 * The status kinds of frr-k8s and MetalLB: what stands in each, from what the agent has and the wire shows.
 */
import { describe, expect, test } from "vitest";
import { ViewJson } from "../../agent/api/view-json.ts";
import { CoreError } from "../../agent/api/core.ts";
import { viewNamed } from "../../agent/api/kind-names.ts";
import { views, type ViewParts } from "../../agent/core/views.ts";
import type { PeerJson } from "../../agent/api/contract.ts";
import { BackendError, type ShownRoute } from "../../backends/backend.ts";
import type { NeighborKey } from "../../events/ids.ts";
import type { Prefix } from "../../events/prefix.ts";
import { nothingRecorded } from "../../events/state.ts";
import {
  advertisement,
  configuration,
  password,
  peer,
  planOf,
  pool,
  service,
  together,
  type World,
  world,
} from "../plan/world.ts";

const base = together(
  pool("one", ["192.0.2.0/24"]),
  peer("p1", "10.0.0.1", { passwordSecret: { name: "key" } }),
  peer("p2", "10.0.0.2"),
  advertisement("ad"),
  service("s"),
  service("t"),
  service("waits", { loadBalancerIP: "198.51.100.1" }),
);
const made = world({}, password("key", "hush-hush"), base);
const onWire = (prefix: string, neighbor: string): ShownRoute =>
  ({ prefix: prefix as Prefix, neighbor: neighbor as NeighborKey }) as ShownRoute;

const partsOf = (of: World, more: Partial<ViewParts> = {}): ViewParts => ({
  backend: { name: "native", routes: () => [] },
  planned: () => ({ desired: of.desired, plan: planOf(of) }),
  recorded: () => nothingRecorded,
  log: { read: () => [], seqOf: () => undefined },
  secrets: { reveal: () => "hush-hush" },
  lastApply: () => ({ failure: undefined, applied: true }),
  complaints: () => [],
  ...more,
});
const all = (
  kind: string,
  more: Partial<ViewParts> = {},
  of = made,
  peers: readonly PeerJson[] = [],
) => views(partsOf(of, more), () => peers, { kind, namespace: undefined, name: undefined });

test("kinds of views are named as Kubernetes names them", () => {
  expect(
    ["FRRNodeState", "frrnodestates.frrk8s.metallb.io", "servicebgpstatuses", "bgppeers"].map(
      viewNamed,
    ),
  ).toEqual(["FRRNodeState", "FRRNodeState", "ServiceBGPStatus", undefined]);
});

describe("FRRNodeState", () => {
  const running = { name: "frr", routes: () => [] } as const;
  const text = "router bgp 1\n neighbor 10.0.0.1 password hush-hush\n! said hush-hush\n";
  test("has the running configuration without its secrets, and both results", async () => {
    const [state] = await all("frrnodestate", {
      backend: { ...running, runningConfig: () => Promise.resolve(text) },
    });
    expect(ViewJson.parse(state)).toEqual({
      apiVersion: "frrk8s.metallb.io/v1beta1",
      kind: "FRRNodeState",
      metadata: { name: "host-1", labels: {} },
      spec: {},
      status: {
        runningConfig: "router bgp 1\n neighbor 10.0.0.1 password <redacted>\n! said <redacted>\n",
        lastConversionResult: "success",
        lastReloadResult: "success",
      },
    });
  });
  test("says who is set aside, and why the speaker refused", async () => {
    const aside = world({}, base, configuration("a", [{ asn: 1, neighbors: [] }]));
    const [state] = await all(
      "frrnodestate",
      {
        backend: { ...running, runningConfig: () => Promise.resolve("") },
        lastApply: () => ({ failure: "bgpd does not answer", applied: true }),
      },
      aside,
    );
    expect(state?.status?.["lastConversionResult"]).toMatch(
      /^failed: .*FRRConfiguration metallb-system\/a/,
    );
    expect(state?.status?.["lastReloadResult"]).toBe("bgpd does not answer");
  });
  test("there is none of a speaker without such a text, nor while it does not answer", async () => {
    await expect(all("frrnodestate")).rejects.toThrow(CoreError);
    const deaf = () => Promise.reject(new BackendError("SPEAKER_TIMEOUT", "no answer"));
    await expect(
      all("frrnodestate", { backend: { ...running, runningConfig: deaf } }),
    ).rejects.toThrow(CoreError);
  });
});

test("BGPSessionState: one for each neighbour, with BFD's word", async () => {
  const shown = (name: string, address: string, more: Partial<PeerJson> = {}) =>
    ({
      name,
      address,
      interface: null,
      vrf: "",
      state: "Established",
      bfd: null,
      ...more,
    }) as PeerJson;
  const states = await all("bgpsessionstates", {}, made, [
    shown("p1", "10.0.0.1", { bfd: { state: "Up" } as PeerJson["bfd"] }),
    shown("p2", "2001:db8::1", {
      vrf: "red",
      state: "Refused",
      bfd: { state: "Init" } as PeerJson["bfd"],
    }),
    shown("p3", "10.0.0.3", { state: "Active" }),
  ]);
  expect(states[1]).toEqual({
    apiVersion: "frrk8s.metallb.io/v1beta1",
    kind: "BGPSessionState",
    metadata: {
      name: "host-1-2001-db8--1-red",
      namespace: "frr-k8s-system",
      labels: {
        "frrk8s.metallb.io/node": "host-1",
        "frrk8s.metallb.io/peer": "2001-db8--1",
        "frrk8s.metallb.io/vrf": "red",
      },
    },
    spec: {},
    status: {
      bgpStatus: "Idle",
      bfdStatus: "Down",
      node: "host-1",
      peer: "2001:db8::1",
      vrf: "red",
    },
  });
  expect(states.map(({ status }) => [status?.["bgpStatus"], status?.["bfdStatus"]])).toEqual([
    ["Established", "Up"],
    ["Idle", "Down"],
    ["Active", "N/A"],
  ]);
});

test("ServiceBGPStatus: the peers that were really told, not those that should be", async () => {
  async function* wire() {
    yield onWire("192.0.2.0/32", "|10.0.0.2|");
    yield onWire("198.51.100.0/24", "|10.0.0.1|");
  }
  const states = await all("servicebgpstatus", { backend: { name: "frr", routes: wire } });
  expect(states.map(({ status }) => status)).toEqual([
    { node: "host-1", serviceName: "s", serviceNamespace: "default", peers: ["p2"] },
    { node: "host-1", serviceName: "t", serviceNamespace: "default", peers: [] },
  ]);
  expect(states[0]?.metadata.labels).toEqual({
    "metallb.io/node": "host-1",
    "metallb.io/service-name": "s",
    "metallb.io/service-namespace": "default",
  });
});

describe("ConfigurationState", () => {
  const stateOf = async (more: Partial<ViewParts> = {}, of = made) =>
    (await all("configurationstate", more, of))[0]?.status;
  test("Valid once the speaker took it, Unknown before", async () => {
    expect(await stateOf()).toMatchObject({
      result: "Valid",
      errorSummary: "",
      conditions: [
        { type: "ConfigurationValid", status: "True", reason: "ConfigurationAccepted" },
        { type: "Applied", status: "True" },
      ],
    });
    const none = { failure: undefined, applied: false };
    expect(await stateOf({ lastApply: () => none })).toMatchObject({
      result: "Unknown",
      conditions: [{ status: "True" }, { status: "Unknown", reason: "NotAppliedYet" }],
    });
  });
  test("Invalid with what is set aside, unreadable or refused", async () => {
    const aside = world({}, base);
    expect(await stateOf({ complaints: () => ["a.yaml:1: bad"] }, aside)).toMatchObject({
      result: "Invalid",
      errorSummary: expect.stringMatching(
        /^a\.yaml:1: bad; BGPPeer metallb-system\/p1: there is no Secret/,
      ),
      conditions: [{ status: "False", reason: "SetAside" }, { status: "True" }],
    });
    const refused = { failure: "no", applied: true };
    expect(await stateOf({ lastApply: () => refused })).toMatchObject({
      result: "Invalid",
      errorSummary: "the speaker refuses it: no",
    });
  });
});

test("a name picks one; one that is not there is said", async () => {
  const named = (name: string) =>
    views(partsOf(made), () => [], { kind: "configurationstate", namespace: undefined, name });
  expect(await named("speaker-host-1")).toHaveLength(1);
  await expect(named("nobody")).rejects.toThrow("there is no configurationstate nobody");
});
