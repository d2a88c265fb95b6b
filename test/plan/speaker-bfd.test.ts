/**
 * Who keeps BFD: the engine or the speaker's own daemon, never both, and never weaker than asked.
 */
import { describe, expect, test } from "vitest";
import { ALL, frr, planned, router } from "./frr-speaker.ts";
import { password, peer, together, world } from "./world.ts";

describe("who keeps BFD", () => {
  const speaker = frr([], { bfd: "speaker" });
  const profile = (spec: object, namespace = "metallb-system") =>
    `apiVersion: metallb.io/v1beta1\nkind: BFDProfile\nmetadata: {name: fast, namespace: ${namespace}}\nspec: ${JSON.stringify(spec)}`;
  const bfdOptions = (spec: object) =>
    `apiVersion: rutter/v1\nkind: BFDOptions\nmetadata: {name: fast, namespace: metallb-system}\nspec: ${JSON.stringify(spec)}`;
  const base = together(
    profile({ receiveInterval: 50, echoMode: true, minimumTtl: 200 }),
    peer("p1", "10.0.0.1", { bfdProfile: "fast" }),
    peer("p2", "10.0.0.2", { bfdProfile: "fast", ebgpMultiHop: true }),
    peer("p3", "10.0.0.3"),
  );
  test("the speaker's own daemon: profile and hops with the neighbour, and no session of the engine", () => {
    const made = planned(world({}, base), speaker);
    const timing = { receiveIntervalMillis: 50, echoIntervalMillis: 50, minimumTimeToLive: 200 };
    expect(router(made, "")?.neighbors.map(({ speakerBfd }) => speakerBfd)).toMatchObject([
      { profile: "fast", multihop: false, timing },
      { profile: "fast", multihop: true, timing },
      undefined,
    ]);
    expect(made.bfd.sessions).toEqual([]);
  });
  test("the engine: its sessions, and nothing with the neighbour", () => {
    const made = planned(world({}, base), frr([], { bfd: "engine" }));
    expect(made.bfd.sessions).toHaveLength(2);
    expect(router(made, "")?.neighbors.map(({ speakerBfd }) => speakerBfd)).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
  test("two profiles of one name are two names", () => {
    const other = (name: string, address: string) =>
      peer(name, address, { bfdProfile: "fast" }).replace("metallb-system", "other");
    const made = planned(
      world({}, together(base, profile({ receiveInterval: 70 }, "other"), other("q", "10.0.0.9"))),
      speaker,
    );
    const names = router(made, "")?.neighbors.map(({ name, speakerBfd }) => [
      name,
      speakerBfd?.profile,
    ]);
    const [p1, , , q] = names ?? [];
    expect([p1?.[1], q?.[1]].toSorted()).toEqual(["fast", "fast-2"]);
  });
  test.for([
    ["strictMode", { profile: "fast", strictMode: true }, "bfd-strict"],
    [
      "authentication",
      { profile: "fast", authentication: { type: "keyed-sha1", keyId: 1, secretName: "key" } },
      "bfd-authentication",
    ],
  ] as const)("%s that its daemon does not have refuses its peers", ([field, spec, needs]) => {
    const made = world({}, together(password("key", "hush"), base, bfdOptions(spec)));
    const refused = planned(made, speaker);
    expect(router(refused, "")?.neighbors.map(({ name }) => name)).toEqual(["p3"]);
    expect(
      [...refused.peers.values()].map((verdict) => "reason" in verdict && verdict.reason),
    ).toEqual([
      `BFD profile fast: the frr speaker has no ${needs}: not carried yet; \`frr: {bfd: engine}\` in agent.yaml has the agent keep BFD`,
      `BFD profile fast: the frr speaker has no ${needs}: not carried yet; \`frr: {bfd: engine}\` in agent.yaml has the agent keep BFD`,
      false,
    ]);
    expect(refused.notCarried.map((one) => one.field)).toEqual(["spec.echoMode", `spec.${field}`]);
    const able = {
      ...speaker,
      capabilities: { has: new Set([...ALL, needs]), missing: new Map() },
    };
    expect(router(planned(made, able), "")?.neighbors).toHaveLength(3);
    expect(planned(made, frr([], { bfd: "engine" })).bfd.sessions).toHaveLength(2);
  });
});
