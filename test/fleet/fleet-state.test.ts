/**
 * The publisher: the next set of a fleet, its base, and the fold that is the same everywhere.
 */
import { describe, expect, test } from "vitest";
import { decodeSet, encodeSet } from "../../agent/fleet/change-set.ts";
import { baseOf, foldSet, headOf, nextSet, noFleetState } from "../../agent/fleet/fleet-state.ts";
import { readFleetManifests } from "../../agent/fleet/read-manifests.ts";
import { newSeed, openerFromSeed, publicKeyOf, signerFromSeed } from "../../agent/fleet/signing.ts";
import { unopened } from "../../agent/fleet/sealed.ts";
import { readPuts } from "../../agent/fleet/puts.ts";
import type { Put } from "../../agent/fleet/change-set.ts";
import { peer, pool, service, together } from "../plan/world.ts";
import {
  bare,
  digestIn,
  FLEET,
  host,
  key,
  made,
  publisher,
  putsOf,
  signer,
  trust,
} from "./fleet.ts";

const one = pool("one", ["192.0.2.0/30"]);
const position = { stream: "s", created: "c", sequence: 1 };
const by = { signer: signer.publicKey, position };
const rulesOf = (next: ReturnType<typeof nextSet>): readonly string[] =>
  next.type === "refused" ? next.refusals.map(({ rule }) => rule) : [next.type];

describe("the next set", () => {
  test("names the one before, and gives the addresses that follow", () => {
    const from = publisher();
    const first = from.change(together(one, service("s")));
    const second = from.change(service("t"));
    expect(first.set).toMatchObject({
      generation: 1,
      previous: "",
      allocations: [
        {
          service: "/Service/default/s",
          addresses: [
            { address: "192.0.2.0", pool: "metallb.io/IPAddressPool/metallb-system/one" },
          ],
        },
      ],
    });
    expect(second.set).toMatchObject({ generation: 2, previous: first.digest });
    expect(second.set.allocations).toMatchObject([{ addresses: [{ address: "192.0.2.1" }] }]);
    expect(headOf(from.state())).toEqual({ generation: 2, digest: second.digest });
  });
  test("leaves out what is in force, and is none where nothing changes", () => {
    const from = publisher();
    from.change(together(one, service("s")));
    const again = nextSet(from.state(), putsOf(together(one, service("s"), service("t"))), []);
    expect(again.type === "set" && again.set.puts).toHaveLength(1);
    expect(rulesOf(nextSet(from.state(), putsOf(together(one, service("s"))), []))).toEqual([
      "unchanged",
    ]);
  });
  test("gives a freed address to the one that waited for it", () => {
    const from = publisher();
    from.change(together(pool("one", ["192.0.2.0/32"]), service("s"), service("t")));
    const freed = from.change("", ["/Service/default/s"]);
    expect(freed.set.allocations).toMatchObject([
      { service: "/Service/default/t", addresses: [{ address: "192.0.2.0" }] },
    ]);
  });
  test("takes the address back from a Service that asks for none any more", () => {
    const from = publisher();
    from.change(together(one, service("s")));
    const set = from.change(service("s", { type: "ClusterIP" }));
    expect(set.set.allocations).toEqual([{ service: "/Service/default/s", addresses: [] }]);
  });
  test("says who waits, and that is decided nowhere else", () => {
    const next = nextSet(noFleetState(FLEET), putsOf(service("s")), []);
    const events = next.type === "set" ? next.decision.facts.map(({ event }) => event) : [];
    expect(events).toContainEqual(
      expect.objectContaining({
        type: "address-awaited",
        reason: expect.stringContaining("no IPAddressPool"),
      }),
    );
  });
  test("is refused for what is not there, is in use, stands twice, or is no manifest", () => {
    const profile =
      "apiVersion: metallb.io/v1beta1\nkind: BFDProfile\nmetadata: {name: fast, namespace: metallb-system}\nspec: {}";
    const from = publisher();
    from.change(together(profile, peer("p", "192.0.2.9", { bfdProfile: "fast" }), service("s")));
    const state = from.state();
    const bfd = key("metallb.io/BFDProfile/metallb-system/fast");
    expect(rulesOf(nextSet(state, [], [key("/Service/default/none")]))).toEqual(["not-found"]);
    expect(rulesOf(nextSet(state, [], [bfd]))).toEqual(["delete"]);
    expect(rulesOf(nextSet(state, putsOf(service("s")), [key("/Service/default/s")]))).toEqual([
      "duplicate",
    ]);
    expect(rulesOf(nextSet(state, [...putsOf(service("s")), ...putsOf(service("s"))], []))).toEqual(
      ["duplicate"],
    );
    expect(rulesOf(nextSet(state, [{ apiVersion: "v1", kind: "Pod" }], []))).toEqual(["manifest"]);
    expect(
      rulesOf(nextSet(state, [{ apiVersion: "metallb.io/v1beta1", kind: "Pool" }], [])),
    ).toEqual(["manifest"]);
  });
  test("comes through its own octets as it is", () => {
    const set = publisher().change(together(one, service("s"))).set;
    expect(decodeSet(encodeSet(set))).toEqual({ ok: true, set });
  });
});

describe("the fold", () => {
  test("of a base and what came after is the fold of all of it", () => {
    const from = publisher();
    from.change(together(one, service("s"), service("t")));
    from.change("", ["/Service/default/s"]);
    const base = made(baseOf(from.state()));
    const next = from.change(service("u"));
    let state = noFleetState(FLEET);
    for (const set of [base, next, base, next])
      ({ state } = foldSet(state, { ...set, ...by }, trust));
    expect(digestIn(state.desired)).toBe(digestIn(from.state().desired));
    expect(baseOf(state)).toEqual(baseOf(from.state()));
  });
  test("has no manifest that the newest base has not", () => {
    const from = publisher();
    from.change(together(service("s"), service("t")));
    const without = made({ ...from.base().set, generation: 2, puts: putsOf(service("t")) });
    const { state } = foldSet(from.state(), { ...without, ...by }, trust);
    expect(baseOf(state).puts).toEqual(putsOf(service("t")));
  });
  test("refuses what the set's signer may not say, as every host does, and goes on", () => {
    const set = bare({ puts: putsOf(service("s")) });
    const narrow = [{ key: signer.publicKey, kinds: ["IPAddressPool"] }];
    const folded = foldSet(noFleetState(FLEET), { ...set, ...by }, narrow);
    expect(folded.result).toMatchObject({ type: "refused", rule: "scope" });
    expect(headOf(folded.state)).toEqual({ generation: 1, digest: set.digest });
    expect(baseOf(folded.state).puts).toEqual([]);
  });
  test("ignores what is known, and tells of another history", () => {
    const from = publisher();
    const sets = [service("s"), service("t")].map((text) => from.change(text));
    const results = [...sets, bare({ puts: putsOf(service("x")) })].map(
      (set) => foldSet(from.state(), { ...set, ...by }, trust).result.type,
    );
    expect(results).toEqual(["ignored", "ignored", "diverged"]);
  });
});

const SECRET =
  "apiVersion: v1\nkind: Secret\ntype: kubernetes.io/basic-auth\nmetadata: {name: md5, namespace: metallb-system}\n";
const clear = `${SECRET}stringData: {password: geheim, other: kept}`;
const withPassword = peer("p", "192.0.2.9", { password: "geheim" });

describe("a secret in a fleet's manifests", () => {
  const seed = newSeed("curve");
  const opener = openerFromSeed(seed);
  const sealed = (text: string, ...to: readonly string[]): readonly Put[] =>
    readFleetManifests([{ name: "f", text }], FLEET, to).puts;
  const seen: [string, string][] = [];
  const seal = (name: string, value: string) => {
    seen.push([name, value]);
    return { name, version: "1", digest: "d" };
  };
  const read = (puts: readonly Put[], by = opener) => {
    seen.length = 0;
    const set = { fleet: FLEET, generation: 1, puts, deletes: [] };
    const got = readPuts(set, by, seal);
    return got.ok ? got.documents.map(({ resource }) => resource) : got.rule;
  };

  test("is refused in clear, wherever it stands", () => {
    const encoded = `${SECRET}data: {password: Z2VoZWlt}`;
    const opaque = "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\nstringData: {token: geheim}";
    for (const text of [clear, encoded, opaque, withPassword]) {
      expect(rulesOf(nextSet(noFleetState(FLEET), sealed(text), []))).toEqual(["clear-secret"]);
    }
    const raw =
      'apiVersion: frrk8s.metallb.io/v1beta1\nkind: FRRConfiguration\nmetadata: {name: f, namespace: default}\nspec: {raw: {rawConfig: "router bgp 1\\n neighbor 10.0.0.1 password geheim\\n"}, bgp: {routers: [{asn: 1}]}}';
    expect(rulesOf(nextSet(noFleetState(FLEET), sealed(raw), []))).toEqual(["clear-secret"]);
  });
  test("is sealed to hosts, and opens on those only; the octets do not hold it", () => {
    const puts = sealed(together(clear, withPassword), opener.publicKey);
    expect(JSON.stringify(puts)).not.toMatch(/geheim|Z2VoZWlt|kept/);
    expect(read(puts)).toHaveLength(2);
    expect(seen).toEqual([
      ["/Secret/metallb-system/md5#password", "geheim"],
      ["metallb.io/BGPPeer/metallb-system/p#password", "geheim"],
    ]);
    expect(read(puts, openerFromSeed(newSeed("curve")))).toMatchObject([
      { spec: { type: "basic-auth", password: { version: "none" } } },
      { spec: { authentication: { type: "inline", secret: { version: "none" } } } },
    ]);
    expect(seen).toEqual([]);
  });
  test("may stand sealed in the manifest already", () => {
    const [put] = sealed(clear, opener.publicKey);
    const text = JSON.stringify(put);
    expect(read(sealed(text))).toHaveLength(1);
    expect(seen).toHaveLength(1);
  });
  test("that was moved to another resource does not open there", () => {
    const [put] = sealed(clear, opener.publicKey);
    const moved = { ...put, metadata: { name: "mine", namespace: "metallb-system" } };
    expect(read([moved])).toMatchObject([{ spec: { password: { version: "none" } } }]);
  });
  test("that is no key for TCP-MD5 is one that this host has not, so that no verdict hangs on it", () => {
    const [put] = sealed(clear, opener.publicKey);
    const [long] = sealed(
      clear.replace("geheim", "x".repeat(81)).replace("basic-auth", "x"),
      opener.publicKey,
    );
    const typed = { ...long, type: put?.["type"] };
    expect(read([typed])).toMatchObject([{ spec: { password: { version: "none" } } }]);
  });
  test("in two hands gives one state digest", () => {
    const set = bare({ puts: sealed(together(clear, withPassword), opener.publicKey) });
    const [has, hasNot] = [host(), host()];
    const documents = readPuts(set.set, opener, seal);
    has.give(set, documents.ok ? documents.documents : []);
    hasNot.give(set);
    expect(digestIn(has.desired())).toBe(digestIn(hasNot.desired()));
  });
  test("of which the text is no key of a host is refused", () => {
    const user = publicKeyOf(newSeed("user"));
    expect(() => sealed(clear, user)).toThrow("curve key");
    expect(signerFromSeed(newSeed("user")).publicKey).not.toBe(user);
  });
});

describe("a put", () => {
  test("has no more metadata than some rule reads, and no status", () => {
    const text = `apiVersion: v1
kind: Service
metadata:
  name: s
  uid: 1-2
  labels: {app: web}
  annotations:
    kubectl.kubernetes.io/last-applied-configuration: '{"password":"geheim"}'
    metallb.io/address-pool: one
spec: {type: LoadBalancer, ports: [{port: 80}]}
status: {loadBalancer: {}}`;
    expect(putsOf(text)).toEqual([
      {
        apiVersion: "v1",
        kind: "Service",
        metadata: {
          name: "s",
          namespace: "default",
          labels: { app: "web" },
          annotations: { "metallb.io/address-pool": "one" },
        },
        spec: { type: "LoadBalancer", ports: [{ port: 80 }] },
      },
    ]);
  });
  test("keeps the line of a complaint, and nothing of a file with one is sent", () => {
    const text = together(service("s"), "apiVersion: v1\nkind: Service\nmetadata: {name: S}");
    const read = readFleetManifests([{ name: "a.yaml", text }], FLEET, []);
    expect(read.complaints).toMatchObject([{ file: "a.yaml", field: "metadata.name" }]);
    expect(read.puts).toHaveLength(1);
    expect(unopened("x").version).toBe("none");
  });
});
