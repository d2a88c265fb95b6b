/**
 * What comes by the feed to a host, as octets: forged, replayed and poisoned messages change nothing, are recorded with their
 * reason once, and stop nobody.
 * Method: the real intake, decisions, queue and log on disk; signatures are real.
 */
import { describe, expect, test } from "vitest";
import { createFeedIntake } from "../../agent/core/feed-intake.ts";
import { confirmer } from "../../agent/core/confirm.ts";
import type { SignedOctets } from "../../agent/fleet/parts.ts";
import { digestOf } from "../../agent/fleet/change-set.ts";
import { sealSecrets } from "../../agent/fleet/sealed.ts";
import { newSeed, signerFromSeed } from "../../agent/fleet/signing.ts";
import type { TrustRule } from "../../agent/fleet/trust.ts";
import { foldAll } from "../../events/fold.ts";
import { snapshotText, stateFromSnapshot } from "../../events/snapshot.ts";
import { stateDigest } from "../../events/state-digest.ts";
import { peer, pool, service, together } from "../plan/world.ts";
import { bare, fed, FLEET, host, key, made, publisher, putsOf, signer } from "./fleet.ts";
import { machine, ofOctets, signed } from "./machine.ts";

const sha256 = (text: string): string => digestOf(new TextEncoder().encode(text));

describe("a message that is no change set of this fleet", () => {
  const good = publisher().change(service("s"));
  const stranger = signerFromSeed(newSeed("user"));
  const other = bare({ puts: putsOf(service("x")) });

  test.for<readonly [string, string, SignedOctets]>([
    ["unsigned", "signature", { ...signed(good), signature: new Uint8Array(64) }],
    ["signed by an unknown key", "signer", signed(good, stranger)],
    [
      "signed by another's key in a trusted name",
      "signature",
      { ...signed(good, stranger), signer: signer.publicKey },
    ],
    [
      "with the signature of another set",
      "signature",
      { ...signed(good), signature: signed(other).signature },
    ],
    ["of another fleet", "fleet", signed(bare({ fleet: "paris" }))],
    ["not JSON", "not-json", ofOctets(new TextEncoder().encode("a: b"))],
    ["of another schema", "schema", ofOctets(new TextEncoder().encode("{}"))],
  ])("%s: refused as %s, recorded, and the next one is taken", async ([, rule, message]) => {
    const there = await machine();
    expect(await there.take(message)).toMatchObject({
      type: "refused",
      moved: false,
      rule,
      generation: 0,
    });
    expect(there.recorded().map(({ event, actor, source }) => ({ event, actor, source }))).toEqual([
      {
        event: {
          type: "feed-refused",
          fleet: FLEET,
          rule,
          reason: expect.any(String),
          signer: message.signer,
          digest: message.digest,
          position: { stream: "rutter-berlin-feed", created: "2026-11-21T00:00:00Z", sequence: 1 },
        },
        actor: { type: "agent" },
        source: {
          name: "feed:berlin",
          position: "refused rutter-berlin-feed 2026-11-21T00:00:00Z 1",
        },
      },
    ]);
    expect(await there.take(signed(good))).toEqual({ type: "advanced", generation: 1 });
  });

  test("is recorded once for its place, however often it is delivered", async () => {
    const there = await machine();
    const place = there.position();
    for (const _ of [1, 2, 3]) await there.take(signed(good, stranger), place);
    const torn = { rule: "gzip", reason: "is cut short", signer: "", digest: "" };
    const another = there.position();
    for (const _ of [1, 2, 3]) await there.refuse(torn, another);
    expect(there.types()).toEqual(["feed-refused", "feed-refused"]);
  });
});

describe("a change set", () => {
  test("is recorded whole, in one transaction, as its signer's", async () => {
    const there = await machine();
    const commits: number[] = [];
    there.log.follow((committed) => commits.push(committed.length));
    const all = together(
      pool("p", ["192.0.2.0/29"]),
      peer("tor", "192.0.2.9"),
      "apiVersion: metallb.io/v1beta1\nkind: BGPAdvertisement\nmetadata: {name: all, namespace: metallb-system}",
      service("s"),
    );
    const set = publisher().change(all);
    const seen: number[] = [];
    there.commands.desired$.subscribe((desired) => seen.push(fed(desired).length));
    await there.take(signed(set));
    expect(commits).toEqual([6]);
    // Nobody who plans ever sees a part of it.
    expect(seen).toEqual([0, 4]);
    const [first] = there.recorded();
    expect(first).toMatchObject({
      actor: { type: "signer", key: signer.publicKey },
      source: { name: "feed:berlin", position: `1 ${set.digest}` },
    });
  });
  test("comes twice, at another place of the stream: one fact of its generation and digest", async () => {
    const there = await machine();
    const set = publisher().change(service("s"));
    expect(await there.take(signed(set))).toEqual({ type: "advanced", generation: 1 });
    expect(await there.take(signed(set))).toEqual({ type: "known", generation: 1 });
    expect(there.types().filter((type) => type === "feed-advanced")).toHaveLength(1);
  });
  test("of an older generation, replayed when later ones are here, is known", async () => {
    const there = await machine();
    const from = publisher();
    const sets = [service("s"), service("t"), service("u")].map((text) => from.change(text));
    for (const set of sets) await there.take(signed(set));
    const again = await Promise.all(sets.map((set) => there.take(signed(set))));
    expect(again).toEqual(sets.map(() => ({ type: "known", generation: 3 })));
  });
  test("given without waiting for the one before is decided after it", async () => {
    const there = await machine();
    const from = publisher();
    const sets = [service("s"), service("t"), service("u")].map((text) => from.change(text));
    const commits: number[] = [];
    there.log.follow((committed) => commits.push(committed.length));
    const taken = await Promise.all([...sets, ...sets].map((set) => there.take(signed(set))));
    expect(commits.length).toBeLessThan(sets.length);
    expect(taken.map(({ type }) => type)).toEqual([
      "advanced",
      "advanced",
      "advanced",
      "known",
      "known",
      "known",
    ]);
  });
  test("before its turn is a gap, and a base closes it", async () => {
    const there = await machine();
    const from = publisher();
    const sets = [service("s"), service("t"), service("u")].map((text) => from.change(text));
    await there.take(signed(sets[0]!));
    expect(await there.take(signed(sets[2]!))).toEqual({ type: "gap", generation: 1 });
    expect(await there.take(signed(from.base()))).toEqual({ type: "advanced", generation: 3 });
    expect(there.fed()).toHaveLength(3);
  });
  test("of another history is told once, and every time the answer says so", async () => {
    const there = await machine();
    const from = publisher();
    await there.take(signed(from.change(service("s"))));
    const fork = bare({ generation: 2, previous: "ef".repeat(32), puts: putsOf(service("x")) });
    expect(await there.take(signed(fork))).toMatchObject({ type: "diverged", generation: 1 });
    expect(await there.take(signed(fork))).toMatchObject({ type: "diverged", generation: 1 });
    expect(there.types().filter((type) => type === "feed-diverged")).toHaveLength(1);
    expect(there.fed()).toEqual(["/Service/default/s"]);
  });
  test.for<readonly [string, Omit<TrustRule, "key">]>([
    ["kind", { kinds: ["IPAddressPool"] }],
    ["namespace", { namespaces: ["shop"] }],
    ["host", { hosts: { matchLabels: { rack: "r2" } } }],
  ])(
    "beyond the %s of its signer is refused whole, and the generation moves on",
    async ([, scope]) => {
      const there = await machine([{ key: signer.publicKey, ...scope }]);
      const set = bare({ puts: [...putsOf(pool("p", ["192.0.2.0/29"])), ...putsOf(service("s"))] });
      expect(await there.take(signed(set))).toMatchObject({
        type: "refused",
        moved: true,
        rule: "scope",
        generation: 1,
      });
      expect(there.types()).toEqual(["feed-advanced"]);
      expect(there.fed()).toEqual([]);
    },
  );
  test("that deletes or allocates beyond its signer's scope is refused, too", async () => {
    const there = await machine([{ key: signer.publicKey, namespaces: ["shop"] }]);
    const web = key("/Service/default/s");
    const deleting = bare({ deletes: [web] });
    expect(await there.take(signed(deleting))).toMatchObject({ rule: "scope", moved: true });
    const giving = bare({
      generation: 2,
      previous: deleting.digest,
      allocations: [{ service: web, addresses: [] }],
    });
    expect(await there.take(signed(giving))).toMatchObject({ rule: "scope", moved: true });
  });
  test("with a manifest that cannot be read is refused whole, with its field", async () => {
    const there = await machine();
    const [first] = putsOf(service("s"));
    const set = bare({ puts: [first!, { ...first, metadata: { name: "Not A Name" } }] });
    expect(await there.take(signed(set))).toMatchObject({
      rule: "manifest",
      moved: true,
      reason: expect.stringContaining("metadata.name"),
    });
    expect(there.fed()).toEqual([]);
  });
  test("that the disk refuses has not happened, and is taken when it is given again", async () => {
    const there = await machine();
    const set = signed(publisher().change(service("s")));
    const place = there.position();
    const broken = createFeedIntake({
      ...there.parts,
      commands: {
        head: there.commands.head,
        submit: () => Promise.reject(new Error("full")),
      },
    });
    await expect(broken.take(set, place)).rejects.toThrow("full");
    expect(await there.take(set, place)).toEqual({ type: "advanced", generation: 1 });
  });
});

describe("a base", () => {
  test("beyond its signer's scope is no base here; another signer's is taken", async () => {
    const second = signerFromSeed(newSeed("user"));
    const there = await machine([
      { key: signer.publicKey, namespaces: ["shop"] },
      { key: second.publicKey },
    ]);
    const from = publisher();
    from.change(service("s"));
    const place = there.position();
    expect(await there.take(signed(from.base()), place)).toMatchObject({
      rule: "scope",
      moved: false,
    });
    expect(await there.take(signed(from.base()), place)).toMatchObject({
      rule: "scope",
      moved: false,
    });
    expect(there.types()).toEqual(["feed-refused"]);
    expect(await there.take(signed(from.base(), second))).toEqual({
      type: "advanced",
      generation: 1,
    });
  });
  test("that mends what it brought before is recorded each time that it does", async () => {
    const there = await machine();
    const from = publisher();
    from.change(service("s"));
    const base = signed(from.base());
    await there.take(base);
    const gone = {
      type: "delete",
      keys: [key("/Service/default/s")],
      owner: "cli",
      takeOver: true,
    } as const;
    for (const _ of [1, 2]) {
      await there.commands.submit(gone, { type: "agent" }, { name: "cli" });
      expect(there.fed()).toEqual([]);
      expect(await there.take(base)).toEqual({ type: "advanced", generation: 1 });
      expect(there.fed()).toEqual(["/Service/default/s"]);
    }
    expect(await there.take(base)).toEqual({ type: "known", generation: 1 });
    expect(there.types().filter((type) => type === "feed-advanced")).toHaveLength(3);
  });
  test("without what is here holds it until somebody confirms that it may go", async () => {
    const there = await machine();
    const from = publisher();
    await there.take(signed(from.change(service("s"))));
    await there.take(signed(made({ ...from.base().set, generation: 2, puts: [] })));
    const state = () => foldAll(there.recorded());
    expect(state().suspected).toMatchObject({ "feed:berlin": { deletes: ["/Service/default/s"] } });
    const confirm = confirmer({
      recorder: there.recorder,
      log: there.log,
      commands: there.commands,
      state,
      sources: { confirm: async () => {}, states: () => [], stop: () => {} },
      release: () => {},
    });
    const operator = { type: "user", uid: 1000, name: "o" } as const;
    expect(await confirm("feed:berlin", operator)).toMatchObject({ confirmed: ["feed:berlin"] });
    expect(there.fed()).toEqual([]);
    expect(state().suspected).toEqual({});
    expect(there.recorded().at(-1)).toMatchObject({ actor: operator });
  });
});

test("a sealed password is in this host's files, and nowhere in its log", async () => {
  const there = await machine();
  const text =
    "apiVersion: v1\nkind: Secret\ntype: kubernetes.io/basic-auth\nmetadata: {name: md5, namespace: default}";
  const [put] = putsOf(text);
  const sealed = sealSecrets({ ...put, stringData: { password: "geheim" } }, FLEET, [
    there.opener.publicKey,
  ]);
  await there.take(signed(bare({ puts: [sealed] })));
  const held = there.commands.current().resources["/Secret"]?.get(key("/Secret/default/md5"));
  const spec = held?.resource.spec as {
    readonly password: Parameters<typeof there.secrets.reveal>[0];
  };
  expect(there.secrets.reveal(spec.password)).toBe("geheim");
  const book = JSON.stringify(there.recorded(), (_key, value: unknown) =>
    typeof value === "bigint" ? String(value) : value,
  );
  expect(book).not.toContain("geheim");
});

test("the log folds to what the host has, through a snapshot, too", async () => {
  const there = await machine();
  const from = publisher();
  const taken = {
    type: "apply",
    documents: [],
    owner: "cli",
    takeOver: false,
    keepGoing: false,
    prune: false,
  } as const;
  await there.take(
    signed(from.change(together(pool("p", ["192.0.2.0/29"]), service("s"), service("t")))),
  );
  await there.take(signed(from.change("", ["/Service/default/s"])));
  await there.commands.submit(taken, { type: "agent" }, { name: "cli" });
  await there.take(
    signed(
      bare({
        generation: 9,
        previous: "ef".repeat(32),
        type: "base",
        deletes: [key("/Service/default/x")],
      }),
    ),
  );
  const state = foldAll(there.recorded());
  expect(state.desired.feeds?.get(FLEET)).toMatchObject({
    generation: 9,
    base: 9,
    diverged: { strays: expect.arrayContaining(["/Service/default/t"]) },
  });
  expect(stateDigest(state.desired.feeds as never, sha256)).toBe(
    stateDigest(there.commands.current().feeds as never, sha256),
  );
  expect(stateDigest(stateFromSnapshot(snapshotText(state)), sha256)).toBe(
    stateDigest(state, sha256),
  );
  expect(host().facts).toEqual([]);
});
