/**
 * Keys, sealed values, names on the wire, and who may say what.
 */
import { createUser } from "@nats-io/nkeys";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { sealSecrets } from "../../agent/fleet/sealed.ts";
import {
  isCurveKey,
  isSigningKey,
  KeyError,
  newSeed,
  openerFromSeed,
  publicKeyOf,
  sealTo,
  signerFromSeed,
  verifySignature,
} from "../../agent/fleet/signing.ts";
import {
  fleetNames,
  hostNames,
  hostOfSubject,
  keyToken,
  readerKey,
  token,
  untoken,
} from "../../agent/fleet/subjects.ts";
import { judge, type TrustRule } from "../../agent/fleet/trust.ts";
import { key } from "./fleet.ts";

const octets = new TextEncoder().encode("rutter");

describe("a signing key", () => {
  test("signs as NATS' own keys do", () => {
    const pair = createUser();
    const signer = signerFromSeed(`\n${new TextDecoder().decode(pair.getSeed())}\n`);
    expect(signer.publicKey).toBe(pair.getPublicKey());
    expect(pair.verify(octets, signer.sign(octets))).toBe(true);
    expect(verifySignature(pair.getPublicKey(), octets, pair.sign(octets))).toBe(true);
  });
  test("is refused where it is none, and its text is in no error", () => {
    const seed = newSeed("user");
    const damaged = `${seed.slice(0, 20)}${seed[20] === "A" ? "B" : "A"}${seed.slice(21)}`;
    const thrown = [damaged, newSeed("curve"), "", "SU"].map((text) => {
      try {
        signerFromSeed(text);
        return undefined;
      } catch (error) {
        return error;
      }
    });
    expect(thrown.every((error) => error instanceof KeyError)).toBe(true);
    expect(JSON.stringify(thrown.map(String))).not.toContain(damaged.slice(4, 20));
    expect(isSigningKey(publicKeyOf(seed))).toBe(true);
    expect(isSigningKey(`${publicKeyOf(seed).slice(0, -1)}=`)).toBe(false);
    expect(isSigningKey(publicKeyOf(newSeed("curve")))).toBe(false);
  });
  test("verifies nothing that is no key or no signature, and throws for none of it", () => {
    fc.assert(
      fc.property(fc.string(), fc.uint8Array({ maxLength: 70 }), (text, signature) => {
        expect(verifySignature(text, octets, signature)).toBe(false);
        expect(verifySignature(publicKeyOf(SEED), octets, signature)).toBe(false);
      }),
    );
  });
});
const SEED = newSeed("user");

describe("a sealed value", () => {
  const opener = openerFromSeed(newSeed("curve"));
  test("opens for its key and its place only", () => {
    const box = sealTo(opener.publicKey, "here", "secret");
    expect(isCurveKey(opener.publicKey)).toBe(true);
    expect(opener.open(box, "here")).toBe("secret");
    expect(opener.open(box, "there")).toBeUndefined();
    expect(openerFromSeed(newSeed("curve")).open(box, "here")).toBeUndefined();
    expect(box).not.toContain("secret");
  });
  test("that is damaged or none opens to nothing, without a throw", () => {
    const box = sealTo(opener.publicKey, "here", "secret");
    const damaged = `${box.slice(0, -6)}AAAA==`;
    expect(
      [damaged, "", ".", box.slice(0, 60), `${box.slice(0, 57)}.`].map((one) =>
        opener.open(one, "here"),
      ),
    ).toEqual([undefined, undefined, undefined, undefined, undefined]);
  });
  test("is sealed to keys only", () => {
    expect(() => sealTo(publicKeyOf(SEED), "here", "secret")).toThrow(KeyError);
    const put = {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "s" },
      stringData: { password: "p" },
    };
    expect(() => sealSecrets(put, "berlin", ["X"])).toThrow(KeyError);
  });
});

describe("names on the wire", () => {
  test("are told apart whatever they are made of", () => {
    expect(token("a.b *>/%é")).toBe("a%2Eb%20%2A%3E%2F%25%C3%A9");
    expect([token(""), keyToken(""), keyToken("a.b")]).toEqual(["%", "=", "a=2Eb"]);
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        expect(untoken(token(text))).toBe(text);
        expect(untoken(keyToken(text))).toBe(text);
        expect(token(text)).toMatch(/^[A-Za-z0-9_%-]+$/);
        expect(keyToken(text)).toMatch(/^[A-Za-z0-9_=-]+$/);
      }),
    );
    expect([untoken("a.b"), untoken("%2"), untoken("%FF")]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
  test("of a fleet and of a host are what its permissions say", () => {
    expect(fleetNames("berlin")).toEqual({
      feedStream: "rutter-berlin-feed",
      changes: "rutter.berlin.feed.change",
      bases: "rutter.berlin.feed.base",
      feed: "rutter.berlin.feed.*",
      auditStream: "rutter-berlin-audit",
      auditSubjects: [
        "rutter.berlin.host.*.audit.*",
        "rutter.berlin.host.*.checkpoint",
        "rutter.berlin.host.*.dead",
      ],
      statusBucket: "rutter-berlin-status",
      readersBucket: "rutter-berlin-readers",
    });
    const names = hostNames("berlin", "a.example");
    expect(names.audit("desired")).toBe("rutter.berlin.host.a%2Eexample.audit.desired");
    expect([names.checkpoint, names.dead]).toEqual([
      "rutter.berlin.host.a%2Eexample.checkpoint",
      "rutter.berlin.host.a%2Eexample.dead",
    ]);
    expect([names.statusKey, names.consumer, readerKey("r 1", "a.example")]).toEqual([
      "a=2Eexample",
      "a=2Eexample",
      "r=201.a=2Eexample",
    ]);
    expect(hostOfSubject("berlin", names.checkpoint)).toBe("a.example");
    expect(hostOfSubject("berlin", "rutter.paris.host.a.dead")).toBeUndefined();
    expect(hostOfSubject("berlin", "rutter.berlin.feed.change")).toBeUndefined();
  });
  test("of buckets hold what a bucket's name may", () => {
    expect(fleetNames("a_b.c").statusBucket).toBe("rutter-a_5Fb_2Ec-status");
  });
});

describe("a signer", () => {
  const service = key("/Service/shop/web");
  const pool = key("metallb.io/IPAddressPool/metallb-system/p");
  const node = key("rutter/Node//host-1");
  const by = (...rules: readonly Omit<TrustRule, "key">[]) =>
    rules.map((rule) => ({ key: "UA", ...rule }));
  const rule = (keys: readonly ReturnType<typeof key>[], trust: readonly TrustRule[]) => {
    const judged = judge(keys, "UA", trust, { rack: "r1" });
    return judged.ok ? "ok" : judged.rule;
  };

  test("who is in no rule may say nothing, not even nothing", () => {
    expect(rule([], [{ key: "UB" }])).toBe("signer");
  });
  test("without a scope may say all", () => {
    expect(rule([service, pool, node], by({}))).toBe("ok");
  });
  test("may say its kinds, by name or with their group", () => {
    expect(rule([pool], by({ kinds: ["IPAddressPool"] }))).toBe("ok");
    expect(rule([pool], by({ kinds: ["IPAddressPool.metallb.io"] }))).toBe("ok");
    expect(rule([pool], by({ kinds: ["IPAddressPool.example"] }))).toBe("scope");
    expect(rule([pool, service], by({ kinds: ["IPAddressPool"] }))).toBe("scope");
  });
  test("may say its namespaces, and nothing of none", () => {
    expect(rule([service], by({ namespaces: ["shop"] }))).toBe("ok");
    expect(rule([service, pool], by({ namespaces: ["shop"] }))).toBe("scope");
    expect(rule([node], by({ namespaces: ["shop"] }))).toBe("scope");
  });
  test("may speak to its hosts only", () => {
    expect(rule([service], by({ hosts: { matchLabels: { rack: "r1" } } }))).toBe("ok");
    expect(rule([service], by({ hosts: { matchLabels: { rack: "r2" } } }))).toBe("scope");
    expect(
      judge([service], "UA", by({ hosts: { matchLabels: { rack: "r2" } } }), undefined),
    ).toEqual({ ok: true });
  });
  test("of several rules may say what any allows", () => {
    const two = by({ kinds: ["Service"], namespaces: ["shop"] }, { kinds: ["IPAddressPool"] });
    expect(rule([service, pool], two)).toBe("ok");
    expect(rule([key("/Service/other/web")], two)).toBe("scope");
  });
});
