/**
 * The manifests that users have today, read as they are: each gives what its first lines say, as far as reading goes.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { type ManifestRead, readManifests } from "../../agent/manifests/read.ts";
import { fieldsNotCarried } from "../../agent/plan/carried-fields.ts";
import type { Seal } from "../../events/resources/resource.ts";
import { options } from "../plan/world.ts";
import { SHARED, skipUnless } from "../probe.ts";

beforeEach(skipUnless("shared-examples"));

const seal: Seal = (name) => ({ name, version: "1", digest: "00" });
const read = (file: string, lenient = false): ManifestRead =>
  readManifests(readFileSync(join(SHARED, "examples", file)), file, { seal, lenient });
const names = ({ documents }: ManifestRead): readonly string[] =>
  documents.map(({ resource }) => `${resource.type} ${resource.metadata.name}`);
const specs = (file: string): readonly unknown[] =>
  read(file).documents.map(({ resource }) => resource.spec);

test.for<[string, number, readonly string[]]>([
  ["01-ecmp-bfd-service.yaml", 5, []],
  ["02-two-pools-two-peers.yaml", 6, []],
  ["03-vrf.yaml", 4, ["Namespace", "Deployment"]],
  ["04-node-selector-bfd-dual-stack.yaml", 4, []],
  ["05-receive-routes.yaml", 5, []],
  ["06-generated-frrconfiguration.yaml", 1, []],
  ["07-vrf-egress.yaml", 5, ["NodeNetworkConfigurationPolicy"]],
  ["08-network-gateway.yaml", 3, []],
  ["11-bgpextras.yaml", 1, []],
])("%s is read without a word", ([file, count, notApplicable]) => {
  const result = read(file);
  expect(result.complaints).toEqual([]);
  expect(result.documents.flatMap(({ warnings }) => warnings)).toEqual([]);
  expect(result.documents).toHaveLength(count);
  expect(result.notApplicable.map(({ kind }) => kind)).toEqual(notApplicable);
});

test("01: a v1beta1 peer of AS 65001 with a 25 ms profile, an aggregate of /24, a Local Service", () => {
  expect(specs("01-ecmp-bfd-service.yaml")).toMatchObject([
    { addresses: [{ text: "172.16.200.1-172.16.200.254" }], autoAssign: true },
    {
      localAsn: 65001,
      remoteAs: { asn: 65000 },
      remote: { address: "10.20.30.254", port: 179 },
      bfdProfile: "bfdprofile",
    },
    { receiveIntervalMillis: 25, transmitIntervalMillis: 25, detectMultiplier: 3 },
    { ipAddressPools: ["first-pool"], aggregationLength: 24 },
    { type: "LoadBalancer", externalTrafficPolicy: "Local" },
  ]);
});

test("02: no-advertise and localPref 100 on both", () => {
  const attributes = { communities: [{ type: "standard", value: 0xffffff02 }], localPref: 100 };
  expect(specs("02-two-pools-two-peers.yaml").slice(4)).toMatchObject([attributes, attributes]);
});

test("04: one peer on two hosts, one with hold time 10 s", () => {
  expect(specs("04-node-selector-bfd-dual-stack.yaml")).toMatchObject([
    {
      nodeSelectors: [
        { matchExpressions: [{ values: ["compute-1.example.com", "compute-2.example.com"] }] },
      ],
    },
    { timers: { holdTimeSeconds: 10, keepaliveTimeSeconds: 3 } },
    { remoteAs: { asn: 64500 } },
    { remote: { address: "2620:52:0:88::104" } },
  ]);
});

test("05: everything is accepted from the neighbour", () => {
  expect(specs("05-receive-routes.yaml")[4]).toMatchObject({
    routers: [{ neighbors: [{ toReceive: { type: "all" } }] }],
  });
});

test("06: two routers that take exactly their host routes", () => {
  expect(specs("06-generated-frrconfiguration.yaml")[0]).toMatchObject({
    routers: [
      {
        vrf: "",
        neighbors: [
          {
            authentication: { type: "none" },
            toReceive: { prefixes: [{ prefix: "172.19.20.181/32", ge: 32, le: 32 }] },
          },
        ],
      },
      { vrf: "vrf1", prefixes: ["172.19.20.190/32"] },
    ],
    nodeSelector: { matchLabels: { "kubernetes.io/hostname": "wk3" } },
  });
});

test("08: the Anthos kinds, the gateway under its newer name", () => {
  expect(names(read("08-network-gateway.yaml"))).toEqual([
    "baremetal.cluster.gke.io/Cluster bm",
    "networking.gke.io/NetworkGatewayGroup default",
    "networking.gke.io/BGPLoadBalancer bgplb",
  ]);
});

test("09: refused with line and correction, or read as meant where asked", () => {
  const { documents, complaints } = read("09-network-gateway-as-found.yaml");
  expect(documents).toEqual([]);
  expect(complaints.map(({ line, message }) => `${line} ${message}`)).toEqual([
    expect.stringMatching(/^6 name and namespace belong under metadata/),
    expect.stringMatching(/^15 name and namespace belong under metadata/),
    expect.stringMatching(/^18 localASN and peers belong under spec/),
  ]);
  const lenient = read("09-network-gateway-as-found.yaml", true);
  expect(lenient.complaints).toEqual([]);
  expect(lenient.documents.map(({ resource }) => resource.metadata.namespace)).toEqual([
    "cluster-bm",
    "cluster-bm",
  ]);
  expect(
    lenient.documents.every(({ warnings }) =>
      warnings.some(({ rule }) => rule === "misplaced-field"),
    ),
  ).toBe(true);
});

test("11: stored, with the manifest to paste", () => {
  const [document] = read("11-bgpextras.yaml").documents;
  const [line] = document === undefined ? [] : fieldsNotCarried(document.resource, options);
  expect(line?.reason).toContain('{prefix: "172.16.1.0/24", le: 32}');
});
