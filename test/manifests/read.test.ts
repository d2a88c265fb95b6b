/**
 * Texts of manifests: lines and columns of what is wrong, lists, YAML as kubectl reads it, and what is refused whole.
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { complaintText } from "../../agent/manifests/complaint.ts";
import { type ManifestRead, MAX_DOCUMENTS, readManifests } from "../../agent/manifests/read.ts";
import { MAX_BYTES } from "../../agent/manifests/text.ts";
import type { Seal } from "../../events/resources/resource.ts";

const seal: Seal = (name) => ({ name, version: "1", digest: "00" });
const read = (text: string | Uint8Array): ManifestRead => readManifests(text, "f.yaml", { seal });
/** `line:column rule field` of each error. */
const errors = (text: string | Uint8Array): readonly string[] =>
  read(text).complaints.map(({ line, column, rule, field }) =>
    `${line}:${column} ${rule} ${field}`.trim(),
  );
/** `line name` of each resource. */
const found = (text: string | Uint8Array): readonly string[] => {
  const { complaints, documents } = read(text);
  expect(complaints).toEqual([]);
  return documents.map(({ resource, location }) => `${location.line} ${resource.metadata.name}`);
};

const pool = (
  name: string,
  addresses = '["10.0.0.0/24"]',
): string => `apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: ${name}}
spec: {addresses: ${addresses}}
`;
const block = `apiVersion: metallb.io/v1beta1
kind: BGPPeer
metadata:
  name: peer
spec:
  myASN: 64500
  peerASN: 64501
  peerAddress: 10.0.0.1
`;

describe("a complaint", () => {
  test("stands on the line and column of its field, in a text of any style", () => {
    expect(errors(`# comment\n\n${block}  holdTime: 1s\n`)).toEqual([
      "11:3 out-of-range spec.holdTime",
    ]);
    expect(errors(`---\n# comment\n${pool("a", "[any]")}`)).toEqual([
      "6:20 bad-value spec.addresses[0]",
    ]);
    expect(errors(`${pool("a")}--- # next\n${pool("b", "[10.0.0.0/24, 10.0.0.0/25]")}`)).toEqual([
      "9:33 overlap spec.addresses[1]",
    ]);
  });

  test("of a missing field stands where its parent does", () => {
    expect(errors(block.replace("  myASN: 64500\n", ""))).toEqual(["5:1 required spec.myASN"]);
    expect(errors(block.replace("  name: peer\n", "  labels: {a: b}\n"))).toEqual([
      "3:1 required metadata.name",
    ]);
  });

  test("in a file with CR LF line ends stands on the same line", () => {
    expect(errors(`${block}  holdTime: 1s\n`.replaceAll("\n", "\r\n"))).toEqual([
      "9:3 out-of-range spec.holdTime",
    ]);
  });

  test("is one line that names file, line, field and rule", () => {
    const [complaint] = read(block.replace("64501", "0")).complaints;
    expect(complaint && complaintText(complaint)).toBe(
      "f.yaml:7:3: error: spec.peerASN: the peer's AS is missing: write peerASN or dynamicASN [required]",
    );
  });

  test("carries no terminal sequence out of the file", () => {
    const [complaint] = read(`${block}  "evil\\e[2Jfield": 1\n`).complaints;
    expect(complaint?.rule).toBe("unknown-field");
    expect(complaint && complaintText(complaint)).not.toContain("\u001b");
  });
});

describe("several documents", () => {
  test("are each found on their own line, empty ones are nothing", () => {
    expect(found(`---\n${pool("a")}---\n---\n# only a comment\n---\n${pool("b")}`)).toEqual([
      "2 a",
      "10 b",
    ]);
    expect(found("")).toEqual([]);
    expect(found("# nothing\n")).toEqual([]);
  });

  test("with directives and end markers are read as YAML reads them", () => {
    expect(found(`%YAML 1.2\n---\n${pool("a")}...\n---\n${pool("b")}`)).toEqual(["3 a", "9 b"]);
  });

  test("may begin on the line of their marker", () => {
    expect(
      found(
        "--- {apiVersion: v1, kind: Service, metadata: {name: a}, spec: {type: ClusterIP}}\n--- \n" +
          pool("b"),
      ),
    ).toEqual(["1 a", "3 b"]);
  });

  test("of one identity are refused with both lines", () => {
    const { complaints } = read(`${pool("a")}---\n${pool("b")}---\n${pool("a")}`);
    expect(complaints).toHaveLength(1);
    expect(complaints[0]).toMatchObject({
      line: 13,
      rule: "duplicate",
      message: expect.stringMatching(/line 1 .*line 11/),
    });
  });

  test("that are not applicable are told with reason and line", () => {
    expect(
      read("---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: d\n").notApplicable,
    ).toEqual([
      {
        apiVersion: "apps/v1",
        kind: "Deployment",
        name: "d",
        reason: expect.any(String),
        location: { file: "f.yaml", line: 2 },
      },
    ]);
  });
});

const item = (name: string) => pool(name).trimEnd().replaceAll("\n", "\n  ");

describe("a List", () => {
  const list = `apiVersion: v1\nkind: List\nitems:\n- ${item("a")}\n- ${item("b")}\nmetadata:\n  resourceVersion: ""\n`;

  test("is its items, each on its own line", () => {
    expect(found(list)).toEqual(["4 a", "8 b"]);
    expect(
      found(
        JSON.stringify({
          apiVersion: "v1",
          kind: "List",
          items: [{ apiVersion: "v1", kind: "Service", metadata: { name: "s" }, spec: {} }],
        }),
      ),
    ).toEqual(["1 s"]);
  });

  test("complains at the item's own field", () => {
    expect(
      errors(
        list.replace(
          'name: b}\n  spec: {addresses: ["10.0.0.0/24"]',
          'name: b}\n  spec: {addresses: ["10.0.0.0/244"]',
        ),
      ),
    ).toEqual(["11:22 bad-value items[1].spec.addresses[0]"]);
  });

  test("of one kind gives its kind to items that have none", () => {
    const text = `apiVersion: metallb.io/v1beta1\nkind: IPAddressPoolList\nitems:\n- metadata: {name: a}\n  spec: {addresses: [10.0.0.0/24]}\n`;
    expect(found(text)).toEqual(["4 a"]);
  });

  test("that is empty is nothing", () => {
    expect(found("apiVersion: v1\nkind: List\nitems: []\n")).toEqual([]);
  });
});

test("what kubectl prints is read, and its own fields leave no word and no trace", () => {
  const printed = `apiVersion: v1
items:
- apiVersion: metallb.io/v1beta2
  kind: BGPPeer
  metadata:
    annotations:
      kubectl.kubernetes.io/last-applied-configuration: |
        {"apiVersion":"metallb.io/v1beta2","kind":"BGPPeer","spec":{"password":"hush"}}
    creationTimestamp: "2026-01-02T03:04:05Z"
    generation: 2
    name: peer
    namespace: metallb-system
    resourceVersion: "12"
    uid: 8b2f7f0e-2f0b-4c59-9d3c-0d2c7c3a5d11
  spec:
    holdTime: 1m30s
    myASN: 64500
    passwordSecret: {}
    peerASN: 64501
    peerAddress: 10.0.0.1
    peerPort: 179
  status: {}
kind: List
metadata:
  resourceVersion: ""
`;
  const { documents, complaints } = read(printed);
  expect(complaints).toEqual([]);
  expect(documents[0]?.warnings).toEqual([]);
  expect(documents[0]?.resource).toMatchObject({
    metadata: { generation: 2, namespace: "metallb-system", annotations: {} },
    spec: { timers: { holdTimeSeconds: 90 } },
  });
  expect(JSON.stringify(documents)).not.toContain("hush");
});

const spec = (text: string): unknown => read(text).documents[0]?.resource.spec;

const adv = (part: string): string =>
  `apiVersion: metallb.io/v1beta1\nkind: BGPAdvertisement\nmetadata: {name: a}\nspec: {${part}}\n`;

const service = (flag: string) => `${pool("a").trimEnd().slice(0, -1)}, autoAssign: ${flag}}\n`;

describe("words", () => {
  test("yes and no are booleans, as kubectl reads them; in quotes they are text", () => {
    expect(spec(service("no"))).toMatchObject({ autoAssign: false });
    expect(spec(service("on"))).toMatchObject({ autoAssign: true });
    expect(errors(service('"no"'))).toEqual(["4:36 wrong-type spec.autoAssign"]);
    expect(
      errors(`apiVersion: v1\nkind: Service\nmetadata: {name: s, labels: {a: yes}}\nspec: {}\n`),
    ).toEqual(["3:30 wrong-type metadata.labels.a"]);
  });

  test("a community without quotes is not a number to base 60", () => {
    expect(spec(adv("communities: [65535:65282]"))).toMatchObject({
      communities: [{ type: "standard", value: 0xffffff02 }],
    });
  });

  test("aliases and merge keys are followed, own keys first", () => {
    const text = `apiVersion: v1\nkind: List\nx: &base {aggregationLength: 24, localPref: 5}\nitems:\n- apiVersion: metallb.io/v1beta1\n  kind: BGPAdvertisement\n  metadata: {name: a}\n  spec: {<<: *base, localPref: 7}\n`;
    expect(spec(text)).toMatchObject({ aggregationLength: 24, localPref: 7 });
  });

  test("JSON is read", () => {
    expect(
      found('{"apiVersion": "v1", "kind": "Service",\n\t"metadata": {"name": "s"}, "spec": {}}'),
    ).toEqual(["1 s"]);
  });
});

describe("a text is refused whole", () => {
  test.for<[string, string | Uint8Array, string]>([
    ["with a NUL octet", `${block}# \0\n`, "9:1 not-text"],
    ["with another control character", `${block}\u0007`, "9:1 not-text"],
    [
      "that is not UTF-8",
      Uint8Array.from([...Buffer.from("a: b\nc: "), 0xff, 0x0a]),
      "2:1 not-text",
    ],
    [
      "that ends within a character",
      Uint8Array.from([...Buffer.from("a: b\n\n"), 0xe2, 0x82]),
      "3:1 not-text",
    ],
    ["with a key twice", block.replace("  peerASN", "  myASN: 1\n  peerASN"), "7:3 duplicate-key"],
    [
      "with a key twice in flow style",
      pool("a").replace("{name: a}", "{name: a, name: b}"),
      "3:21 duplicate-key",
    ],
    ["with a tab for indentation", "a:\n\tb: c\n", "2:1 yaml-syntax"],
    ["with an open bracket", "a: [b\n", "2:1 yaml-syntax"],
    ["with an alias of nothing", "a: *b\n", "1:4 yaml-syntax"],
    ["with an alias of itself", "a: &x [*x]\n", "1:8 yaml-syntax"],
    ["with an unknown tag", "a: !!python/object b\n", "1:4 yaml-syntax"],
    ["that is no map", "- a\n- b\n", "1:1 wrong-type"],
    ["that is a word", "word\n", "1:1 wrong-type"],
    ["without a kind", "metadata: {name: a}\n", "1:1 required apiVersion"],
  ])("%s", ([, text, complaint]) => {
    expect(errors(text)).toEqual([complaint]);
  });

  test("with a mistake, though other documents of it are fine", () => {
    const { complaints, documents } = read(`${pool("a")}---\n${pool("b", "[x]")}`);
    expect(complaints).toHaveLength(1);
    expect(documents).toHaveLength(1);
  });
});

const bomb = (use: (name: string) => string): string => {
  const lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"];
  for (let i = 1; i < 12; i += 1) lines.push(`a${i}: &a${i} ${use(`*a${i - 1}`)}`);
  return lines.join("\n");
};

describe("hostile texts end soon", () => {
  /** Generous: it must only tell seconds from minutes on a busy machine. */
  const SOON_MS = 10_000;

  test.for<[string, () => string | Uint8Array, string]>([
    [
      "an alias bomb",
      () => bomb((name) => `[${Array.from({ length: 10 }, () => name).join(", ")}]`),
      "alias-bomb",
    ],
    [
      "a bomb of merge keys",
      () =>
        bomb(
          (name) => `{k: 1, <<: [${Array.from({ length: 10 }, () => name).join(", ")}]}`,
        ).replace(/\[x.*\]/, "{a: 1, b: 2, c: 3}"),
      "alias-bomb",
    ],
    ["twenty thousand brackets", () => "[".repeat(20_000), "yaml-syntax"],
    ["ten thousand levels in JSON", () => `{"a":`.repeat(10_000), "yaml-syntax"],
    ["more octets than are read", () => new Uint8Array(MAX_BYTES + 1), "too-large"],
    ["more documents than are read", () => "---\n".repeat(MAX_DOCUMENTS + 5), "too-many"],
    [
      "twenty thousand keys",
      () => Array.from({ length: 20_000 }, (_, i) => `k${i}: 1`).join("\n"),
      "required",
    ],
  ])("%s", ([, text, rule]) => {
    const start = performance.now();
    const [complaint] = read(text()).complaints;
    expect(performance.now() - start).toBeLessThan(SOON_MS);
    expect(complaint?.severity).toBe("error");
    expect(complaint?.rule).toBe(rule);
  });

  test("a file wrong throughout is told with its first thousand mistakes", () => {
    expect(read("kind: x\n---\n".repeat(3000)).complaints.length).toBeLessThanOrEqual(1000);
  });
});

test("whatever the octets are, a value comes out", () => {
  const part = fc.constantFrom(
    "a: b\n",
    "- ",
    "---\n",
    "{",
    "}",
    "[",
    "&x ",
    "*x",
    "<<: ",
    "|\n",
    "'",
    '"',
    "\t",
    " ",
    "\n",
    "? ",
    "!t ",
    "...\n",
    "%YAML 1.1\n",
    "kind: List\nitems:\n",
    "\ufeff",
    "#",
    ":",
  );
  const text = fc.array(part, { maxLength: 30 }).map((parts) => parts.join(""));
  fc.assert(
    fc.property(fc.oneof(text, fc.uint8Array({ maxLength: 60 })), (input) => {
      for (const { line, column } of read(input).complaints) {
        expect(line).toBeGreaterThan(0);
        expect(column).toBeGreaterThan(0);
      }
    }),
    { numRuns: 3000 },
  );
});
