/**
 * What depends on the version and profile of FRR, and what no FRR can be told.
 */
import { expect, test } from "vitest";
import { NO_TAGS } from "../../backends/frr/render/numbers.ts";
import { render } from "../../backends/frr/render/render.ts";
import { profileName } from "../../backends/frr/render/names.ts";
import { type FrrVersion, frrVersionOf } from "../../backends/frr/version.ts";
import type { SpeakerIntent } from "../../backends/intent.ts";
import { address } from "../../events/address.ts";
import {
  keyOf,
  neighbor,
  reveal,
  router,
  routes,
  secret,
  speaker,
  timing,
  to,
  VERSION_8,
} from "./intents.ts";
import { textOf } from "./text.ts";

const V4 = "192.0.2.2";
const version = (major: number, minor: number, profile: FrrVersion["profile"] = "traditional") => ({
  major,
  minor,
  profile,
});
const rendered = (intent: SpeakerIntent, of: FrrVersion) =>
  render(intent, { version: of, reveal, tags: NO_TAGS });
const bgpd = (intent: SpeakerIntent, of: FrrVersion): string[] =>
  textOf(rendered(intent, of).bgpd)
    .split("\n")
    .map((line) => line.trim());

test("the head of a running configuration tells version and profile", () => {
  expect(frrVersionOf("\nfrr version 8.4.4\nfrr defaults traditional\n")).toEqual(VERSION_8);
  expect(frrVersionOf("frr version 10.5.0_git\nfrr defaults datacenter\n")).toEqual(
    version(10, 5, "datacenter"),
  );
  expect(frrVersionOf("Building configuration...")).toBeUndefined();
});

test("the first AS is checked by itself from 10.0 on, and said to be unchecked", () => {
  const guard = { alwaysBlock: [], maximumPrefixes: {} };
  const checked = speaker([router([neighbor(V4)])]);
  const unchecked = speaker([
    router([neighbor(V4, { receiveGuard: { ...guard, checkFirstAs: false } })]),
  ]);
  expect(bgpd(checked, version(9, 1))).toContain("neighbor 192.0.2.2 enforce-first-as");
  expect(bgpd(checked, version(10, 0)).join("\n")).not.toContain("enforce-first-as");
  expect(bgpd(unchecked, version(9, 1)).join("\n")).not.toContain("enforce-first-as");
  expect(bgpd(unchecked, version(10, 0))).toContain("no neighbor 192.0.2.2 enforce-first-as");
});

test("0:0 has a name up to 9.0", () => {
  const intent = speaker([
    router([neighbor(V4)], {
      routes: routes([to([keyOf(V4)], { communities: [0] }), "198.51.100.1/32"]),
    }),
  ]);
  expect(bgpd(intent, version(9, 0))).toContain("set community internet");
  expect(bgpd(intent, version(9, 1))).toContain("set community 0:0");
});

test("what is a default is not said", () => {
  const intent = speaker([router([neighbor(V4)])]);
  expect(rendered(intent, version(9, 0)).zebra.size).toBe(2);
  expect(rendered(intent, version(9, 1)).zebra.size).toBe(0);
  expect(rendered(intent, version(8, 4, "datacenter")).zebra.size).toBe(0);
  expect(bgpd(intent, version(8, 4))).toContain("no bgp ebgp-requires-policy");
  expect(bgpd(intent, version(8, 4, "datacenter"))).not.toContain("no bgp ebgp-requires-policy");
});

test("BGP waits for BFD where FRR can", () => {
  const speakerBfd = { profile: "fast", multihop: false, timing: timing() };
  const intent = speaker([router([neighbor(V4, { speakerBfd, waitsForBfd: true })])]);
  expect(bgpd(intent, version(10, 4))).not.toContain("neighbor 192.0.2.2 bfd strict");
  expect(bgpd(intent, version(10, 5))).toContain("neighbor 192.0.2.2 bfd strict");
});

test.for([
  ["blank", "FRR takes no password with blanks or control characters"],
  ["lines", "FRR takes no password with blanks or control characters"],
  ["long", "FRR takes no password of more than 80 octets"],
  ["absent", "the secret absent is not there"],
])("a session whose password cannot be said is not opened: %s", ([name = "", reason = ""]) => {
  const intent = speaker([router([neighbor(V4, { authentication: secret(name) })])]);
  const { withheld, ...trees } = rendered(intent, VERSION_8);
  expect([...withheld]).toEqual([[keyOf(V4), reason]]);
  expect(textOf(trees.bgpd)).not.toContain(V4);
});

test("of two neighbours with one address the first is opened", () => {
  const second = neighbor(V4, { localAddress: address("192.0.2.1"), key: keyOf("other") });
  const { withheld, ...trees } = rendered(speaker([router([neighbor(V4), second])]), VERSION_8);
  expect([...withheld.keys()]).toEqual([second.key]);
  expect(textOf(trees.bgpd)).not.toContain("update-source");
});

test("long names of profiles are cut, and stay apart", () => {
  const long = "p".repeat(70);
  expect(profileName("fast")).toBe("fast");
  expect(profileName(`${long}a`)).toHaveLength(63);
  expect(profileName(`${long}a`)).not.toBe(profileName(`${long}b`));
});
