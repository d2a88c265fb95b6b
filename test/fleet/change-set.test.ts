/**
 * Outside octets that should be a change set: each poison gives a refusal with its rule, and leaves nothing behind.
 */
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type ChangeSet,
  decodeSet,
  digestOf,
  encodeSet,
  MAX_SET_OCTETS,
  signedOctets,
} from "../../agent/fleet/change-set.ts";
import {
  HEADERS,
  type Joined,
  joinParts,
  type PartMessage,
  splitSet,
  verifySigned,
} from "../../agent/fleet/parts.ts";
import { newSeed, signerFromSeed } from "../../agent/fleet/signing.ts";
import { bare, key, signer } from "./fleet.ts";

const octetsOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const good: ChangeSet = {
  type: "change",
  fleet: "berlin",
  generation: 2,
  previous: "ab".repeat(32),
  puts: [
    { apiVersion: "v1", kind: "Service", metadata: { name: "s", labels: { constructor: "x" } } },
  ],
  deletes: [key("/Service/default/old")],
  allocations: [],
};
const text = new TextDecoder().decode(encodeSet(good));
const ruleOf = (octets: Uint8Array | string): string => {
  const decoded = decodeSet(typeof octets === "string" ? octetsOf(octets) : octets);
  return decoded.ok ? "none" : decoded.rule;
};

describe("a change set", () => {
  test("is one spelling: sorted keys, no spaces, and comes back as it was", () => {
    expect(text.startsWith('{"allocations":[],"deletes":["/Service/default/old"],"fleet":')).toBe(
      true,
    );
    expect(decodeSet(octetsOf(text))).toEqual({ ok: true, set: good });
  });
  test("names addresses in their canonical form only", () => {
    const given = (address: string) =>
      text.replace(
        '"allocations":[]',
        `"allocations":[{"service":"/Service/default/s","addresses":[{"address":"${address}","pool":"metallb.io/IPAddressPool/m/p"}]}]`,
      );
    expect(ruleOf(given("2001:db8::1"))).toBe("none");
    expect(ruleOf(given("2001:DB8::1"))).toBe("schema");
    expect(ruleOf(given("10.0.0.256"))).toBe("schema");
  });
  test("larger than receivers take is not made", () => {
    const huge = { ...good, puts: Array.from({ length: 200_001 }, () => ({})) };
    expect(() => encodeSet(huge)).toThrow(RangeError);
  });
});

describe("refused is", () => {
  test("what is not JSON", () => {
    expect(ruleOf("apiVersion: v1")).toBe("not-json");
    expect(ruleOf("")).toBe("not-json");
    expect(ruleOf(text.slice(0, -1))).toBe("not-json");
  });
  test.for<readonly [string, string]>([
    ["another field", text.replace('"type":', '"extra":1,"type":')],
    ["a type that is none", text.replace('"change"', '"rebase"')],
    ["generation 0", text.replace('"generation":2', '"generation":0')],
    ["half a generation", text.replace('"generation":2', '"generation":2.5')],
    ["no set before generation 2", text.replace(`"${"ab".repeat(32)}"`, '""')],
    ["a put that is a list", text.replace('"puts":[{', '"puts":[[],{')],
    ["a key that is none", text.replace("/Service/default/old", "old")],
    ["a tombstone twice", text.replace('"deletes":[', '"deletes":["/Service/default/old",')],
    ["JSON that is no object", "null"],
  ])("a wrong schema: %s", ([, wrong]) => {
    expect(ruleOf(wrong)).toBe("schema");
  });
  test("a megabyte of anything, and more than the largest size, unread", () => {
    expect(ruleOf(new Uint8Array(1024 * 1024).fill(0x20))).toBe("not-json");
    expect(ruleOf(new Uint8Array(MAX_SET_OCTETS + 1))).toBe("too-large");
  });
  test("nesting of 10,000, in lists, in objects, and where no parser would come that far", () => {
    const lists = `${"[".repeat(10_000)}${"]".repeat(10_000)}`;
    const objects = `${'{"a":'.repeat(10_000)}1${"}".repeat(10_000)}`;
    expect(ruleOf(text.replace('"name":"s"', `"name":${lists}`))).toBe("nesting");
    expect(ruleOf(text.replace('"name":"s"', `"name":${objects}`))).toBe("nesting");
    expect(ruleOf("[".repeat(10_000))).toBe("nesting");
  });
  test("no brace inside a text, escaped or not", () => {
    const braces = JSON.stringify('"[{\\'.repeat(1000));
    expect(ruleOf(text.replace('"name":"s"', `"name":${braces}`))).toBe("none");
  });
  test("the key __proto__, wherever it stands, and no prototype is touched", () => {
    const inPut = text.replace('"name":"s"', '"name":"s","__proto__":{"polluted":true}');
    const onTop = text.replace('"type":', '"__proto__":{"polluted":true},"type":');
    expect([inPut, onTop].map(ruleOf)).toEqual(["forbidden-key", "forbidden-key"]);
    expect(ruleOf(text.replace('"name"', String.raw`"__prot\u006f__":{},"name"`))).toBe(
      "forbidden-key",
    );
    expect(Object.keys(Object.prototype)).toEqual([]);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });
  test("a number that JavaScript has not: 1e400", () => {
    expect(ruleOf(text.replace('"name":"s"', '"name":1e400'))).toBe("number");
    expect(ruleOf(text.replace('"generation":2', '"generation":1e400'))).toBe("number");
  });
  test("broken UTF-8", () => {
    const broken = octetsOf(text.replace('"name":"s"', '"name":"X"'));
    broken[broken.indexOf(0x58)] = 0xff;
    expect(ruleOf(broken)).toBe("not-text");
  });
  test("anything else without a throw", () => {
    const mutated = fc
      .tuple(fc.nat(text.length - 1), fc.string({ unit: "binary", maxLength: 4 }))
      .map(([at, put]) => text.slice(0, at) + put + text.slice(at + 1));
    fc.assert(
      fc.property(fc.oneof(mutated.map(octetsOf), fc.uint8Array()), (octets) => {
        expect(typeof decodeSet(octets).ok).toBe("boolean");
      }),
    );
    expect(Object.keys(Object.prototype)).toEqual([]);
  });
});

/** Larger than one part of 2 KiB, however it is compressed. */
const large = encodeSet(
  bare({
    puts: Array.from({ length: 200 }, (_, i) => ({ name: digestOf(octetsOf(String(i))) })),
  }).set,
);

const push = (
  joiner: ReturnType<typeof joinParts>,
  { headers, body }: PartMessage,
  sequence: number,
): Joined => joiner.push((name) => headers[name] ?? "", body, sequence);

describe("the messages of a set", () => {
  const messages = splitSet(large, signer, 2048);
  const all = (parts: readonly (readonly [PartMessage, number])[]): readonly Joined[] => {
    const joiner = joinParts();
    return parts.map(([message, sequence]) => push(joiner, message, sequence));
  };
  const sets = (joined: readonly Joined[]) => joined.filter(({ type }) => type === "set");

  test("are one where it fits, with a signature that verifies", () => {
    const [only, ...rest] = splitSet(encodeSet(good), signer, 1024 * 1024);
    expect(rest).toEqual([]);
    const joined = push(joinParts(), only!, 7);
    expect(joined).toMatchObject({
      type: "set",
      digest: digestOf(encodeSet(good)),
      signer: signer.publicKey,
      octets: encodeSet(good),
    });
    expect(joined.type === "set" && verifySigned(joined)).toBe(true);
  });
  test("keep within the server's payload, and join in order", () => {
    expect(messages.length).toBeGreaterThan(5);
    expect(Math.max(...messages.map(({ body }) => body.length))).toBeLessThanOrEqual(1024);
    const joined = all(messages.map((message, i) => [message, i + 10]));
    expect(joined.slice(0, -1).map(({ type }) => type)).toEqual(
      messages.slice(1).map(() => "more"),
    );
    expect(joined.at(-1)).toMatchObject({ type: "set", octets: large });
  });
  test("join when they come twice, and in any order", () => {
    const placed = messages.map((message, i) => [message, i + 10] as const);
    expect(
      sets(all([...placed.slice(0, 3), ...placed.slice(0, 3), ...placed.slice(3)])),
    ).toHaveLength(1);
    expect(sets(all(placed.toReversed()))).toHaveLength(1);
  });
  test("of which one is missing give nothing, and stop no other set", () => {
    const torso = messages.slice(0, -1).map((message, i) => [message, i + 10] as const);
    const again = messages.map((message, i) => [message, i + 50] as const);
    expect(all(torso).map(({ type }) => type)).toEqual(torso.map(() => "more"));
    expect(sets(all([...torso, ...again]))).toHaveLength(1);
  });
  test("join with another set's between them", () => {
    const other = splitSet(new Uint8Array([...large, 0x20]), signer, 2048);
    const interleaved = messages.flatMap((message, i) => [
      [message, 10 + i] as const,
      [other[i]!, 500 + i] as const,
    ]);
    expect(sets(all(interleaved)).map((one) => one.type === "set" && one.octets.length)).toEqual([
      large.length,
      large.length + 1,
    ]);
  });
  test("are given up where too many sets are begun", () => {
    const begun = [10, 100, 200, 300, 400].map((sequence) => [messages[0]!, sequence] as const);
    const rest = (first: number) =>
      messages.slice(1).map((message, i) => [message, first + 1 + i] as const);
    expect(sets(all([...begun, ...rest(10)]))).toEqual([]);
    expect(sets(all([...begun, ...rest(100)]))).toHaveLength(1);
  });

  const refusal = (headers: Readonly<Record<string, string>>, body: Uint8Array): string => {
    const joined = push(joinParts(), { headers, body }, 1);
    return joined.type === "refused" ? joined.rule : joined.type;
  };
  const [whole] = splitSet(encodeSet(good), signer, 1024 * 1024);
  const { headers, body } = whole!;

  test.for([
    ["none", {}],
    ["no signer", { ...headers, [HEADERS.signer]: "" }],
    ["a signer that is no user's key", { ...headers, [HEADERS.signer]: `A${"A".repeat(55)}` }],
    ["a signature of another length", { ...headers, [HEADERS.signature]: "AAAA" }],
    ["part 3 of 2", { ...headers, [HEADERS.part]: "3/2" }],
    ["part 0", { ...headers, [HEADERS.part]: "0/1" }],
    ["9,999 parts", { ...headers, [HEADERS.part]: "1/9999" }],
  ] as const)("with other headers are refused: %s", ([, wrong]) => {
    expect(refusal(wrong, body)).toBe("headers");
  });
  test("that are no gzip, or end early, are refused", () => {
    expect(refusal(headers, octetsOf("{}"))).toBe("gzip");
    expect(refusal(headers, body.slice(0, -9))).toBe("gzip");
    expect(refusal(headers, new Uint8Array())).toBe("gzip");
  });
  test("that unpack to more than a set may have are refused, and not unpacked", () => {
    const bomb = gzipSync(new Uint8Array(MAX_SET_OCTETS + 1));
    expect(bomb.length).toBeLessThan(1024 * 1024);
    expect(refusal(headers, bomb)).toBe("too-large");
  });
  test("with another digest than they name are refused", () => {
    expect(refusal(headers, gzipSync(octetsOf(`${text} `)))).toBe("digest");
  });
});

describe("a signature", () => {
  const digest = digestOf(encodeSet(good));
  const signature = signer.sign(signedOctets(digest));
  const signed = { octets: encodeSet(good), digest, signer: signer.publicKey, signature };

  test("is the signer's, of this set, as a change set", () => {
    expect(verifySigned(signed)).toBe(true);
  });
  test("of another set, by another key, or of something else is none", () => {
    const other = signerFromSeed(newSeed("user"));
    expect(verifySigned({ ...signed, digest: digestOf(octetsOf("other")) })).toBe(false);
    expect(verifySigned({ ...signed, signer: other.publicKey })).toBe(false);
    expect(verifySigned({ ...signed, signature: other.sign(signedOctets(digest)) })).toBe(false);
    expect(verifySigned({ ...signed, signature: signer.sign(Buffer.from(digest, "hex")) })).toBe(
      false,
    );
    expect(verifySigned({ ...signed, signature: new Uint8Array(64) })).toBe(false);
    expect(verifySigned({ ...signed, signature: signature.slice(1) })).toBe(false);
  });
});
