/**
 * Secrets that systemd gave the agent as credentials, in the plan: whose password they are, and what is said where one is missing.
 */
import { expect, test } from "vitest";
import type { HostFacts } from "../../events/event.ts";
import type { SecretSpec } from "../../events/resources/secret.ts";
import {
  after,
  host,
  neighborsIn,
  password,
  peer,
  planOf,
  together,
  type World,
  world,
} from "./world.ts";

const guarded = peer("p1", "10.0.0.1", { passwordSecret: { name: "key" } });
const applied = together(guarded, password("key", "hush"));
const ref = { name: "rutter.secret.metallb-system.key", version: "1", digest: "d" };
const given = (name: string, secret: SecretSpec, manifests: string) =>
  world({ secrets: { [`metallb-system/${name}`]: secret } }, manifests);
const known: SecretSpec = { type: "basic-auth", password: ref };
const reasons = ({ desired }: World) => [...desired.quarantined.values()].map((one) => one.reason);

test("a credential is the password of the Secret of its name, without one and before one that was applied", () => {
  const alone = neighborsIn(planOf(given("key", known, guarded)))["p1"];
  expect(alone?.authentication).toEqual({ type: "tcp-md5", secret: ref });
  const both = neighborsIn(planOf(given("key", known, applied)))["p1"];
  expect(both?.authentication).toEqual({ type: "tcp-md5", secret: ref });
});

test("one of another name is none: the applied one counts, and else the peer is held back with the credential's name", () => {
  const other = neighborsIn(planOf(given("other", known, applied)))["p1"];
  expect(other?.authentication?.secret.name).not.toBe(ref.name);
  const made = given("other", known, guarded);
  expect(neighborsIn(planOf(made))).toEqual({});
  expect(reasons(made)).toEqual([
    "there is no Secret metallb-system/key; the peer comes up when it is applied, or when the agent starts with the credential rutter.secret.metallb-system.key",
  ]);
});

test("one that is no key holds the peer back, also where a Secret was applied", () => {
  const made = given("key", { type: "unusable", reason: "it is no key" }, applied);
  expect(neighborsIn(planOf(made))).toEqual({});
  expect(reasons(made)).toEqual(["Secret metallb-system/key: it is no key"]);
});

test("a start with it lets the peer go that the start before held back, and one without it holds it back again", () => {
  const starts = (made: World, secrets: HostFacts["secrets"]) =>
    after(made, { type: "observe-host", facts: { ...host, ...(secrets && { secrets }) } });
  const without = world({}, guarded);
  const started = starts(without, { "metallb-system/key": known });
  expect(neighborsIn(planOf(started))["p1"]?.authentication?.secret).toEqual(ref);
  expect(reasons(started)).toEqual([]);
  const again = starts(started, undefined);
  expect(neighborsIn(planOf(again))).toEqual({});
  expect(reasons(again)).toHaveLength(1);
});

test("the start that was given it is a cause of the session", () => {
  const made = given("key", known, guarded);
  const { provenance } = neighborsIn(planOf(made))["p1"] ?? {};
  expect(provenance).toContain(made.desired.host?.fact);
});
