/**
 * Whose a line of bgpd's is: what an operator made by hand stays as it is, whatever we would say.
 */
import { describe, expect, test } from "vitest";
import type { TakeOver } from "../../../backends/frr/choice.ts";
import { clearsOf } from "../../../backends/frr/config/clears.ts";
import { type Change, difference } from "../../../backends/frr/config/difference.ts";
import { parseRunning } from "../../../backends/frr/config/parse.ts";
import { importCheckProblem, judge } from "../../../backends/frr/config/scope.ts";
import { type ConfigTree, NO_LINES } from "../../../backends/frr/config/tree.ts";
import { tagsOf } from "../../../backends/frr/render/numbers.ts";
import { render } from "../../../backends/frr/render/render.ts";
import { NO_SPEAKER, type SpeakerIntent } from "../../../backends/intent.ts";
import type { NeighborKey } from "../../../events/ids.ts";
import { keyOf, neighbor, reveal, router, routes, speaker, to, VERSION_8 } from "../intents.ts";

const V4 = "192.0.2.2";
const INTENT = speaker([
  router([neighbor(V4)], { routes: routes([to([keyOf(V4)]), "10.0.0.1/32"]) }),
]);

function changeOf(
  current: ConfigTree,
  intent: SpeakerIntent,
  { ours = [], takeOver = "none" }: { ours?: readonly NeighborKey[]; takeOver?: TakeOver } = {},
) {
  const rendered = render(intent, { version: VERSION_8, reveal, tags: tagsOf(current) });
  const judged = judge(current, rendered, intent, { ours: new Set(ours), takeOver });
  return { ...judged, change: difference(current, judged.wanted, judged.scope) };
}

const words = ({ definitions, routers, removals }: Change): string[] =>
  [...definitions, ...routers, ...removals].map(({ path, line }) => [...path, line].join(" / "));

const treeWith = (intent: SpeakerIntent): ConfigTree => changeOf(NO_LINES, intent).wanted;
const HAND = " neighbor 192.0.2.2 remote-as 7\n neighbor 192.0.2.9 remote-as 8\n";

describe("a router", () => {
  test("that we made says so, and goes with its last neighbour", () => {
    const made = treeWith(INTENT);
    expect(made.has("route-map rutter-made-default permit 1")).toBe(true);
    expect(words(changeOf(made, NO_SPEAKER).change)[0]).toBe("no router bgp 64512");
  });

  test("that holds others' neighbours or routes stays, without ours", () => {
    const made = new Map(treeWith(INTENT));
    const lines = made.get("router bgp 64512") ?? NO_LINES;
    made.set("router bgp 64512", new Map([...lines, ["neighbor 192.0.2.9 remote-as 8", NO_LINES]]));
    const said = words(changeOf(made, NO_SPEAKER).change);
    expect(said).toContain("router bgp 64512 / no neighbor 192.0.2.2");
    expect(said).not.toContain("no router bgp 64512");
    expect(said.join("\n")).not.toContain("192.0.2.9");
  });

  test("that was there keeps its own lines, and we say what it would give by default", () => {
    const there = parseRunning("router bgp 64512\n neighbor 192.0.2.9 remote-as 8\n");
    const six = speaker([router([neighbor("2001:db8::2"), neighbor(V4)])]);
    const { change, guests } = changeOf(there, six);
    const said = words(change);
    expect([...guests]).toEqual([""]);
    expect(said).toContain("route-map rutter-guest-default permit 1");
    expect(said.filter((line) => /\/ (?:no )?bgp /.test(line))).toEqual([]);
    const family = "router bgp 64512 / address-family ipv4 unicast / ";
    expect(said).toContain(`${family}no neighbor 2001:db8::2 activate`);
    expect(said).not.toContain(`${family}neighbor ${V4} activate`);
    expect(importCheckProblem(there, INTENT)).toContain("no bgp network import-check");
    expect(importCheckProblem(treeWith(INTENT), INTENT)).toBeUndefined();
  });

  test("of another AS is not ours to end: its neighbours are refused", () => {
    const { change, withheld } = changeOf(
      parseRunning("router bgp 65000\n bgp router-id 192.0.2.1\n"),
      INTENT,
    );
    expect(withheld.map(({ neighbor: key }) => key)).toEqual([keyOf(V4)]);
    expect(words(change).join("\n")).not.toContain("router bgp");
  });
});

describe("a neighbour", () => {
  const there = parseRunning(`router bgp 64512\n${HAND}`);

  test("made by hand is refused, with the way out, and nothing of it is touched", () => {
    const { change, withheld } = changeOf(there, INTENT);
    expect(withheld).toMatchObject([{ neighbor: keyOf(V4) }]);
    expect(withheld[0]?.reason).toContain("frr: {takeOver: [");
    expect(words(change).join("\n")).not.toContain(V4);
  });

  test("is ours by the log, or where we were asked to take it over", () => {
    const line = "router bgp 64512 / neighbor 192.0.2.2 remote-as 64513";
    expect(words(changeOf(there, INTENT, { ours: [keyOf(V4)] }).change)).toContain(line);
    expect(words(changeOf(there, INTENT, { takeOver: "all" }).change)).toContain(line);
    expect(words(changeOf(there, INTENT, { takeOver: [V4] }).change)).toContain(line);
    expect(changeOf(there, INTENT, { takeOver: [`${V4}-red`] }).withheld).toHaveLength(1);
  });

  test("is ours by its route maps in a router with our mark, without any log", () => {
    const made = treeWith(INTENT);
    expect(changeOf(made, INTENT).withheld).toEqual([]);
    expect(words(changeOf(made, INTENT).change)).toEqual([]);
  });

  test("that is ours loses what somebody said of it", () => {
    const made = new Map(treeWith(INTENT));
    const lines = made.get("router bgp 64512") ?? NO_LINES;
    made.set("router bgp 64512", new Map([...lines, ["neighbor 192.0.2.2 shutdown", NO_LINES]]));
    expect(words(changeOf(made, INTENT).change)).toEqual([
      "router bgp 64512 / no neighbor 192.0.2.2 shutdown",
    ]);
  });

  test("takes its maps and lists with it, and leaves those of a longer name", () => {
    const more = new Map(treeWith(INTENT)).set("route-map 192.0.2.2-red-in permit 1", NO_LINES);
    const said = words(changeOf(more, NO_SPEAKER, { ours: [keyOf(V4)] }).change);
    expect(said).toContain("no route-map 192.0.2.2-in deny 65535");
    expect(said).not.toContain("no route-map 192.0.2.2-red-in permit 1");
  });
});

describe("what FRR does not do by itself", () => {
  const current = treeWith(INTENT);
  const clears = (said: Parameters<typeof neighbor>[1], vrf = ""): readonly string[] => {
    const before =
      vrf === "" ? current : treeWith(speaker([router([neighbor(V4, { vrf })], { vrf })]));
    const after = speaker([
      router([neighbor(V4, { ...said, vrf })], {
        vrf,
        routes: INTENT.routers[0]?.routes ?? routes(),
      }),
    ]);
    return clearsOf(before, changeOf(before, after).change);
  };

  test.for([
    [{ holdTimeSeconds: 30, keepaliveTimeSeconds: 10 }, [`clear bgp ${V4}`]],
    [{ keepaliveTimeSeconds: 10 }, []],
    [{ connectRetrySeconds: 5 }, []],
    [{ gracefulRestart: { restartTimeSeconds: 120 } }, [`clear bgp ${V4}`]],
    [{ receive: { type: "everything" } }, [`clear bgp ${V4} soft in`]],
  ] as const)("%j: %j", ([said, commands]) => {
    expect(clears(said)).toEqual(commands);
  });

  test("is told to the neighbour's own VRF", () => {
    expect(clears({ holdTimeSeconds: 30, keepaliveTimeSeconds: 10 }, "red")).toEqual([
      `clear bgp vrf red ${V4}`,
    ]);
  });
});
