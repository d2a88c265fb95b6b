/**
 * Tags and sequence numbers over time: what is told alike keeps its tag, what a tag means to a neighbour never changes, and changed
 * routes alone are few commands.
 */
import { describe, expect, test } from "vitest";
import type { SpeakerIntent } from "../../backends/intent.ts";
import { routeChanges } from "../../backends/delta.ts";
import type { ConfigTree } from "../../backends/frr/config/tree.ts";
import { NO_TAGS, tagsOf } from "../../backends/frr/render/numbers.ts";
import { render, type RenderMemo, type Rendered } from "../../backends/frr/render/render.ts";
import { routeLines } from "../../backends/frr/render/routes.ts";
import { prefix } from "../../events/prefix.ts";
import {
  type Group,
  keyOf,
  neighbor,
  reveal,
  router,
  routes,
  speaker,
  to,
  VERSION_8,
} from "./intents.ts";
import { textOf, treeOf } from "./text.ts";

const [A, B, C] = ["192.0.2.2", "192.0.2.3", "192.0.2.4"].map((remote) => ({
  remote,
  key: keyOf(remote),
})) as [Peer, Peer, Peer];
type Peer = { readonly remote: string; readonly key: ReturnType<typeof keyOf> };
type Groups = readonly Group[];

const [P1, P2, P3, P4] = [
  "198.51.100.1/32",
  "198.51.100.2/32",
  "198.51.100.3/32",
  "198.51.100.4/32",
] as const;
const FIRST = 1_870_000_001;
const SECOND = 1_870_000_002;
const THIRD = 1_870_000_003;

const intent = (peers: readonly Peer[], groups: Groups, ...raw: readonly string[]): SpeakerIntent =>
  speaker(
    [
      router(
        peers.map(({ remote }) => neighbor(remote)),
        { routes: routes(...groups) },
      ),
    ],
    ...raw,
  );

/** As an agent that starts: all it knows is what the daemon prints. */
const after = (before: Rendered | undefined, wanted: SpeakerIntent): Rendered =>
  render(wanted, {
    version: VERSION_8,
    reveal,
    tags: before === undefined ? NO_TAGS : tagsOf(treeOf(textOf(before.bgpd))),
  });

const tagsIn = (tree: ConfigTree): Readonly<Record<string, number>> =>
  Object.fromEntries(
    [...textOf(tree).matchAll(/network (\S+) route-map rutter-(\d+)/g)].map(([, of = "", tag]) => [
      of,
      Number(tag),
    ]),
  );
/** Prefix → what the map of this neighbour does with it; a route that it lets pass unchanged has an empty text. */
const toldBy = ({ bgpd }: Rendered, { remote }: Peer): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(tagsIn(bgpd)).flatMap(([of, tag]) => {
      const entry = [...bgpd].find(
        ([line, lines]) =>
          line.startsWith(`route-map ${remote}-out permit `) && lines.has(`match tag ${tag}`),
      );
      if (entry === undefined) return [];
      return [[of, [...entry[1].keys()].filter((line) => line.startsWith("set")).join(", ")]];
    }),
  );
const entriesOf = ({ bgpd }: Rendered, { remote }: Peer): string[] =>
  [...bgpd.keys()].filter((line) => line.startsWith(`route-map ${remote}-out permit`));

describe("a tag", () => {
  const both = to([A.key, B.key]);
  const tagged = to([A.key], { communities: [1] });
  const start = after(
    undefined,
    intent(
      [A, B],
      [
        [both, P1, P2],
        [tagged, P3],
      ],
    ),
  );

  test("is one for all routes that are told alike", () => {
    expect(tagsIn(start.bgpd)).toEqual({ [P1]: FIRST, [P2]: FIRST, [P3]: SECOND });
    expect(toldBy(start, A)).toEqual({ [P1]: "", [P2]: "", [P3]: "set community 0:1" });
    expect(toldBy(start, B)).toEqual({ [P1]: "", [P2]: "" });
  });

  test("stays over a restart of ours", () => {
    const again = after(
      start,
      intent(
        [A, B],
        [
          [both, P1, P2],
          [tagged, P3],
        ],
      ),
    );
    expect(textOf(again.bgpd)).toBe(textOf(start.bgpd));
  });

  test("stays when prefixes come and go", () => {
    const next = after(
      start,
      intent(
        [A, B],
        [
          [both, P2, P4],
          [tagged, P3],
        ],
      ),
    );
    expect(tagsIn(next.bgpd)).toEqual({ [P2]: FIRST, [P4]: FIRST, [P3]: SECOND });
  });

  test("stays when a neighbour comes that is told, too", () => {
    const wider = to([A.key, B.key, C.key]);
    const next = after(
      start,
      intent(
        [A, B, C],
        [
          [wider, P1, P2],
          [tagged, P3],
        ],
      ),
    );
    expect(tagsIn(next.bgpd)).toEqual(tagsIn(start.bgpd));
    expect(toldBy(next, C)).toEqual({ [P1]: "", [P2]: "" });
  });

  test("stays when a neighbour goes", () => {
    const next = after(
      start,
      intent(
        [A],
        [
          [to([A.key]), P1, P2],
          [tagged, P3],
        ],
      ),
    );
    expect(tagsIn(next.bgpd)).toEqual(tagsIn(start.bgpd));
    expect(entriesOf(next, B)).toEqual([]);
  });

  test("is another one where a neighbour that stays is told otherwise", () => {
    const next = after(
      start,
      intent(
        [A, B],
        [
          [to([A.key]), P1, P2],
          [tagged, P3],
        ],
      ),
    );
    expect(tagsIn(next.bgpd)).toEqual({ [P1]: THIRD, [P2]: THIRD, [P3]: SECOND });
    expect(toldBy(next, B)).toEqual({});
  });

  test("of a class that splits by a new neighbour stays with most of its routes", () => {
    const wider = to([A.key, B.key, C.key]);
    const whole = after(undefined, intent([A, B], [[both, P1, P2, P3]]));
    const most = after(
      whole,
      intent(
        [A, B, C],
        [
          [both, P1],
          [wider, P2, P3],
        ],
      ),
    );
    expect(tagsIn(most.bgpd)).toEqual({ [P1]: SECOND, [P2]: FIRST, [P3]: FIRST });
    const least = after(
      whole,
      intent(
        [A, B, C],
        [
          [both, P1, P2],
          [wider, P3],
        ],
      ),
    );
    expect(tagsIn(least.bgpd)).toEqual({ [P1]: FIRST, [P2]: FIRST, [P3]: SECOND });
  });

  test("that somebody else made is not taken for ours, whatever it means", () => {
    const text = `route-map ${A.remote}-out permit 30\n match tag 5\n`;
    const next = render(intent([A], [[to([A.key]), P1]]), {
      version: VERSION_8,
      reveal,
      tags: tagsOf(treeOf(text)),
    });
    expect(tagsIn(next.bgpd)).toEqual({ [P1]: FIRST });
  });
});

describe("an entry of an out map", () => {
  test("keeps its number while others go, and a number that was somebody's is not given anew at once", () => {
    const first = to([A.key], { med: 1 });
    const second = to([A.key], { med: 2 });
    const third = to([A.key], { med: 3 });
    const start = after(
      undefined,
      intent(
        [A],
        [
          [first, P1],
          [second, P2],
        ],
      ),
    );
    const next = after(
      start,
      intent(
        [A],
        [
          [second, P2],
          [third, P3],
        ],
      ),
    );
    expect(entriesOf(start, A)).toEqual([
      `route-map ${A.remote}-out permit 1`,
      `route-map ${A.remote}-out permit 2`,
    ]);
    expect(entriesOf(next, A)).toEqual([
      `route-map ${A.remote}-out permit 2`,
      `route-map ${A.remote}-out permit 3`,
    ]);
  });

  test("leaves the numbers of raw entries alone, from 20 on", () => {
    const groups = Array.from(
      { length: 21 },
      (_, i) => [to([A.key], { med: i }), `203.0.113.${i}/32`] as const,
    );
    const raw = `route-map ${A.remote}-out permit 20\n set metric 7\nroute-map ${A.remote}-out permit 3\n set metric 7`;
    const numbers = entriesOf(after(undefined, intent([A], groups, raw)), A).map((line) =>
      Number(line.split(" ").at(-1)),
    );
    expect(numbers).toEqual([...Array.from({ length: 19 }, (_, i) => i + 1), 21, 22]);
  });

  test("is ours though a raw line adds to it", () => {
    const groups: Groups = [[to([A.key], { med: 1 }), P1]];
    const start = after(undefined, intent([A], groups));
    const text = textOf(start.bgpd).replace(
      " set metric 1\n",
      " set metric 1\n set as-path prepend 64512\n",
    );
    const next = render(intent([A], groups), {
      version: VERSION_8,
      reveal,
      tags: tagsOf(treeOf(text)),
    });
    expect(textOf(next.bgpd)).toBe(textOf(start.bgpd));
  });
});

test("a rule of a prefix list keeps its number, and a new one has one that was nobody's", () => {
  const receiving = (...texts: readonly string[]): SpeakerIntent =>
    speaker([
      router([
        neighbor(A.remote, {
          receive: {
            type: "prefixes",
            prefixes: texts.map((text) => ({ prefix: prefix(text), atLeast: 32, atMost: 32 })),
          },
        }),
      ]),
    ]);
  const start = after(undefined, receiving(P1, P2, P3));
  const next = after(start, receiving(P4, P2, P3));
  const list = `ip prefix-list ${A.remote}-inpl-ipv4`;
  expect([...next.bgpd.keys()].filter((line) => line.startsWith("ip"))).toEqual([
    `${list} seq 4 permit ${P4}`,
    `${list} seq 2 permit ${P2}`,
    `${list} seq 3 permit ${P3}`,
  ]);
});

describe("changed routes alone", () => {
  const plain = to([A.key]);
  const other = to([A.key], { med: 1 });
  const start = intent(
    [A],
    [
      [plain, P1],
      [other, P2],
    ],
  );
  const { classes, bgpd } = after(undefined, start);
  const changed = (...groups: Groups) =>
    routeLines(
      routeChanges(start, {
        ...start,
        routers: start.routers.map((one) => ({ ...one, routes: routes(...groups) })),
      }),
      classes,
    );

  test("are one line each, in the nodes they belong to", () => {
    const tags = tagsIn(bgpd);
    expect(changed([plain, P2, "2001:db8::1/128"])).toEqual([
      "router bgp 64512",
      "address-family ipv4 unicast",
      ...["no network 198.51.100.1/32", `network ${P2} route-map rutter-${tags[P1]}`].toSorted(
        (a, b) => Number(a.includes(P1)) - Number(b.includes(P1)),
      ),
      "exit-address-family",
      "address-family ipv6 unicast",
      `network 2001:db8::1/128 route-map rutter-${tags[P1]}`,
      "exit-address-family",
      "exit",
    ]);
  });

  test("in a class that has no tag yet take a rendering", () => {
    expect(changed([plain, P1], [to([A.key], { med: 2 }), P3])).toBeUndefined();
  });
});

test("what did not change is not rendered again", () => {
  const memo: RenderMemo = new WeakMap();
  const asked: string[] = [];
  const secret = { name: "plain", version: "1", digest: "d" };
  const peer = neighbor(A.remote, { authentication: { type: "tcp-md5", secret } });
  const options = {
    version: VERSION_8,
    tags: NO_TAGS,
    memo,
    reveal: ({ name }: { readonly name: string }) => (asked.push(name), "geheim"),
  };
  const first = render(speaker([router([peer])]), options);
  const second = render(speaker([router([peer])]), options);
  expect(asked).toEqual(["plain"]);
  expect(textOf(second.bgpd)).toBe(textOf(first.bgpd));
  // A raw line that names its list makes another rendering of it.
  const named = render(
    speaker([router([peer])], `match ip address prefix-list ${A.remote}-inpl-ipv4`),
    options,
  );
  expect([...named.bgpd.keys()]).toContain(`ip prefix-list ${A.remote}-inpl-ipv4 seq 1 deny any`);
});
