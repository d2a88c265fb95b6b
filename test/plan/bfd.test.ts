/**
 * BFDProfile and BFDOptions → BFD sessions, and what of it a neighbour is told.
 */
import { expect, test } from "vitest";
import { address } from "../../events/address.ts";
import { neighborKey } from "../../events/ids.ts";
import { plan, replan } from "../../agent/plan/plan.ts";
import type { Capability } from "../../backends/backend.ts";
import { after, deleting, options, peer, planOf, together, world } from "./world.ts";

const profile = (spec: object = {}, name = "fast") =>
  `apiVersion: metallb.io/v1beta1\nkind: BFDProfile\nmetadata: {name: ${name}, namespace: metallb-system}\nspec: ${JSON.stringify(spec)}`;
const bfdOptions = (spec: object = {}, name = "fast") =>
  `apiVersion: rutter/v1\nkind: BFDOptions\nmetadata: {name: ${name}, namespace: metallb-system}\nspec: ${JSON.stringify(spec)}`;
const secret = (name: string) =>
  `apiVersion: v1\nkind: Secret\ntype: kubernetes.io/basic-auth\nmetadata: {name: ${name}, namespace: metallb-system}\nstringData: {password: sesame}`;
const watched = (rest: object = {}) => peer("p", "10.0.0.1", { bfdProfile: "fast", ...rest });

const sessionsOf = (made: ReturnType<typeof world>) => planOf(made).bfd.sessions;
const neighborsOf = (made: ReturnType<typeof world>) =>
  planOf(made).speakers.native?.routers.flatMap(({ neighbors }) => neighbors) ?? [];
const unnumbered = { peerAddress: undefined, interface: "eth0" };
const able = {
  ...options,
  capabilities: { has: new Set<Capability>(["bfd", "unnumbered"]), missing: new Map() },
};
const rules = (made: ReturnType<typeof world>) =>
  [...made.desired.quarantined.values()].map(({ rule }) => rule);

test("upstream's defaults, in the RFC's terms", () => {
  const [session] = sessionsOf(world({}, together(profile(), watched())));
  expect(session).toMatchObject({
    key: "|10.0.0.1|||single",
    authentication: undefined,
    timing: {
      transmitIntervalMillis: 300,
      receiveIntervalMillis: 300,
      detectMultiplier: 3,
      echoIntervalMillis: undefined,
      passive: false,
      minimumTimeToLive: 255,
    },
  });
});

test("to a neighbour that is known by its interface: none until it is found, then on that link, and after it", () => {
  const manifests = together(profile(), peer("p", "", { ...unnumbered, bfdProfile: "fast" }));
  const sessionsTo = ({ desired }: ReturnType<typeof world>) => plan(desired, able).bfd.sessions;
  const waiting = world({}, manifests);
  expect(sessionsTo(waiting)).toEqual([]);
  const found = (address_: string) => ({
    type: "observe-neighbor" as const,
    neighbor: neighborKey("", "eth0", ""),
    peer: "p",
    interface: "eth0",
    address: address(address_),
  });
  const first = after(waiting, found("fe80::2"));
  expect(sessionsTo(first)).toMatchObject([
    { key: "|fe80::2||eth0|single", remote: "fe80::2", interface: "eth0", guards: ["|eth0|"] },
  ]);
  expect(sessionsTo(first)[0]?.provenance).toContain(first.decisions.at(-1)?.facts[0]?.id);
  const before = { desired: waiting.desired, plan: plan(waiting.desired, able) };
  expect(replan(before, first.desired, able).bfd.sessions).toEqual(sessionsTo(first));
  // Heard again is no news; another one is.
  expect(after(first, found("fe80::2")).decisions.at(-1)?.facts).toEqual([]);
  expect(sessionsTo(after(first, found("fe80::3")))).toMatchObject([{ remote: "fe80::3" }]);
});

test("echoes on a single hop, never on several (RFC 5883 §3)", () => {
  const echo = profile({ echoMode: true, echoInterval: 70, minimumTtl: 200 });
  const [single] = sessionsOf(world({}, together(echo, watched())));
  expect(single?.timing).toMatchObject({ echoIntervalMillis: 70, minimumTimeToLive: 255 });
  const [multi] = sessionsOf(world({}, together(echo, watched({ ebgpMultiHop: true }))));
  expect(multi?.timing).toMatchObject({ echoIntervalMillis: undefined, minimumTimeToLive: 200 });
});

test("two BGP sessions to one peer share a BFD session, as fast as the faster asks", () => {
  const slow = profile({ transmitInterval: 500, detectMultiplier: 5 }, "slow");
  const sessions = sessionsOf(
    world(
      {},
      together(
        profile({ transmitInterval: 100, receiveInterval: 600 }),
        slow,
        watched(),
        peer("q", "10.0.0.1", { bfdProfile: "slow", sourceAddress: "10.0.0.9" }),
      ),
    ),
  );
  expect(sessions).toMatchObject([
    {
      key: "|10.0.0.1|10.0.0.9||single",
      guards: ["|10.0.0.1|", "|10.0.0.1|10.0.0.9"],
      timing: { transmitIntervalMillis: 100, receiveIntervalMillis: 300, detectMultiplier: 3 },
    },
  ]);
});

test("options give the session its key, and the neighbour its patience", () => {
  const authentication = { type: "keyed-sha1", keyId: 7, secretName: "k" };
  const made = world(
    {},
    together(profile(), bfdOptions({ strictMode: true, authentication }), secret("k"), watched()),
  );
  expect(sessionsOf(made)[0]?.authentication).toMatchObject({ type: "keyed-sha1", keyId: 7 });
  expect(neighborsOf(made)).toMatchObject([{ waitsForBfd: true }]);
  const plain = after(made, deleting("rutter/BFDOptions/metallb-system/fast"));
  expect(sessionsOf(plain)[0]?.authentication).toBeUndefined();
  expect(neighborsOf(plain)).toMatchObject([{ waitsForBfd: false }]);
});

test("a key that is missing holds the peer back: it never runs without", () => {
  const authentication = { type: "keyed-sha1", secretName: "k" };
  const made = world({}, together(profile(), bfdOptions({ authentication }), watched()));
  expect(rules(made)).toEqual(["bfd-key-missing"]);
  expect(sessionsOf(made)).toEqual([]);
  const given = after(made, secret("k"));
  expect(rules(given)).toEqual([]);
  expect(sessionsOf(given)).toHaveLength(1);
});

test("a second set of options for one profile is set aside", () => {
  const made = world(
    {},
    together(profile(), bfdOptions(), watched()),
    bfdOptions({ profile: "fast", strictMode: true }, "other"),
  );
  expect(rules(made)).toEqual(["bfd-options-twice"]);
  expect(neighborsOf(made)).toMatchObject([{ waitsForBfd: false }]);
});
