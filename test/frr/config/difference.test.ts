/**
 * Trees of lines: read from text, and brought from one to another by commands, on a model of bgpd that knows what the driver knows.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Change,
  type Command,
  difference,
  isNoChange,
} from "../../../backends/frr/config/difference.ts";
import { parseRunning } from "../../../backends/frr/config/parse.ts";
import { type ConfigTree, NO_LINES } from "../../../backends/frr/config/tree.ts";
import {
  makesPeer,
  peerOfLine,
  slotOf,
  unsaid,
  withoutSecret,
} from "../../../backends/frr/config/words.ts";
import { NO_TAGS } from "../../../backends/frr/render/numbers.ts";
import { render } from "../../../backends/frr/render/render.ts";
import { CASES } from "../cases.ts";
import { reveal, VERSION_8 } from "../intents.ts";
import { plain, textOf, treeOf } from "../text.ts";

const ALL = { isOurs: () => true };
type Node = Map<string, ConfigTree>;

const trees = Object.values(CASES).map(
  (intent) => render(intent, { version: VERSION_8, reveal, tags: NO_TAGS }).bgpd,
);

const copyOf = (tree: ConfigTree): Node =>
  new Map([...tree].map(([line, children]) => [line, copyOf(children)]));

/** What bgpd does with a command, as far as the driver relies on it. */
function obey(top: Node, { path, line }: Command): void {
  let node = top;
  for (const opening of path) {
    const inner = node.get(opening) ?? new Map<string, ConfigTree>();
    node.set(opening, inner);
    node = inner as Node;
  }
  const positive = line.startsWith("no ") ? line.slice("no ".length) : undefined;
  const peer = positive === undefined ? undefined : /^neighbor (\S+)$/.exec(positive)?.[1];
  if (peer !== undefined) {
    forgetPeer(node, peer);
    return;
  }
  const unsaidHere = [...node.keys()].find((known) => unsaid(known) === line);
  if (unsaidHere !== undefined) node.delete(unsaidHere);
  else say(node, line);
}

function say(node: Node, line: string): void {
  const replaced = [...node].find(([known]) => slotOf(known) === slotOf(line));
  if (replaced !== undefined) node.delete(replaced[0]);
  node.set(line, replaced?.[1] ?? new Map());
}

function forgetPeer(node: Node, peer: string): void {
  for (const [line, children] of node) {
    if (peerOfLine(line) === peer) node.delete(line);
    else forgetPeer(children as Node, peer);
  }
}

/** bgpd prints no family in which nothing is said. */
const printed = (tree: ConfigTree): ConfigTree =>
  new Map(
    [...tree]
      .map(([line, children]) => [line, printed(children)] as const)
      .filter(([line, children]) => !line.startsWith("address-family") || children.size > 0),
  );

const commandsOf = ({ definitions, routers, removals }: Change): Command[] => [
  ...definitions,
  ...routers,
  ...removals,
];

const anyTree = fc.nat({ max: trees.length - 1 }).map((at) => trees[at] ?? NO_LINES);

describe("a difference", () => {
  test("leads from any configuration to any other, and is nothing behind that", () => {
    fc.assert(
      fc.property(anyTree, anyTree, (from, to) => {
        const model = copyOf(from);
        for (const command of commandsOf(difference(from, to, ALL))) obey(model, command);
        expect(plain(printed(model))).toEqual(plain(to));
        expect(isNoChange(difference(printed(model), to, ALL))).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test("never touches a neighbour's line for another prefix", () => {
    const from = parseRunning(
      "router bgp 1\n neighbor 192.0.2.2 remote-as 2\n address-family ipv4 unicast\n  network 10.0.0.1/32 route-map rutter-1\n",
    );
    const to = parseRunning(
      "router bgp 1\n neighbor 192.0.2.2 remote-as 2\n address-family ipv4 unicast\n  network 10.0.0.2/32 route-map rutter-1\n",
    );
    const path = ["router bgp 1", "address-family ipv4 unicast"];
    expect(commandsOf(difference(from, to, ALL))).toEqual([
      { path, line: "no network 10.0.0.1/32" },
      { path, line: "network 10.0.0.2/32 route-map rutter-1" },
    ]);
  });

  test("leaves what is not in its scope", () => {
    const from = parseRunning(
      "router bgp 1\n neighbor 192.0.2.9 remote-as 2\nroute-map x permit 1\n",
    );
    const nothing = difference(from, NO_LINES, { isOurs: () => false });
    expect(isNoChange(nothing)).toBe(true);
  });

  test("makes what is named before what names it, and removes it after", () => {
    const named = parseRunning(
      "router bgp 1\n neighbor 192.0.2.2 remote-as 2\n address-family ipv4 unicast\n  neighbor 192.0.2.2 activate\n  neighbor 192.0.2.2 route-map m in\nroute-map m permit 1\n match ip address prefix-list l\nip prefix-list l seq 1 permit any\n",
    );
    expect(commandsOf(difference(NO_LINES, named, ALL)).map(({ line }) => line)).toEqual([
      "ip prefix-list l seq 1 permit any",
      "route-map m permit 1",
      "match ip address prefix-list l",
      "router bgp 1",
      "neighbor 192.0.2.2 remote-as 2",
      "neighbor 192.0.2.2 route-map m in",
      "neighbor 192.0.2.2 activate",
    ]);
    expect(commandsOf(difference(named, NO_LINES, ALL)).map(({ line }) => line)).toEqual([
      "no router bgp 1",
      "no route-map m permit 1",
      "no ip prefix-list l seq 1 permit any",
    ]);
  });

  test("makes room for another AS, and takes what is imported out of the way of a router that goes", () => {
    const of = (asn: number): ConfigTree =>
      parseRunning(
        `router bgp ${asn}\n no bgp network import-check\nrouter bgp 1 vrf red\n address-family ipv4 unicast\n  import vrf default\n`,
      );
    expect(commandsOf(difference(of(1), of(2), ALL)).map(({ line }) => line)).toEqual([
      "no import vrf default",
      "no router bgp 1",
      "router bgp 2",
      "no bgp network import-check",
      "import vrf default",
    ]);
  });
});

describe("a running configuration", () => {
  test("is read as it was rendered", () => {
    for (const tree of trees) expect(plain(parseRunning(textOf(tree)))).toEqual(plain(tree));
  });

  test("loses its head, its comments and the ends of its nodes", () => {
    const text =
      "Building configuration...\n\nCurrent configuration:\n!\nfrr version 8.4.4\n!\nrouter bgp 1\n neighbor a peer-group\n !\n address-family ipv4 unicast\n  network 10.0.0.0/8\n exit-address-family\nexit\n!\nend\n";
    expect(plain(parseRunning(text))).toEqual({
      "frr version 8.4.4": {},
      "router bgp 1": {
        "neighbor a peer-group": {},
        "address-family ipv4 unicast": { "network 10.0.0.0/8": {} },
      },
    });
    expect(plain(treeOf(text))).toEqual({
      "router bgp 1": plain(parseRunning(text).get("router bgp 1") ?? NO_LINES),
    });
  });
});

describe("a line", () => {
  test.for([
    ["neighbor 192.0.2.2 password s3cret", "no neighbor 192.0.2.2 password"],
    ["neighbor 192.0.2.2 timers 30 90", "no neighbor 192.0.2.2 timers"],
    ["neighbor 192.0.2.2 timers connect 5", "no neighbor 192.0.2.2 timers connect"],
    ["neighbor 192.0.2.2 update-source 192.0.2.1", "no neighbor 192.0.2.2 update-source"],
    ["network 10.0.0.0/8 route-map rutter-1", "no network 10.0.0.0/8"],
    ["no bgp ebgp-requires-policy", "bgp ebgp-requires-policy"],
    ["set ipv6 next-hop global 2001:db8::1", "no set ipv6 next-hop global 2001:db8::1"],
    ["router bgp 1 vrf red", "no router bgp 1 vrf red"],
    ["detect-multiplier 5", "detect-multiplier 3"],
  ] as const)("%s is unsaid by %s", ([line, command]) => {
    expect(unsaid(line)).toBe(command);
  });

  test.for([
    ["neighbor e0 interface remote-as external", "neighbor e0 interface remote-as 5", true],
    ["neighbor 192.0.2.2 graceful-restart", "neighbor 192.0.2.2 graceful-restart-disable", true],
    ["neighbor 192.0.2.2 timers 1 3", "neighbor 192.0.2.2 timers connect 5", false],
    ["neighbor 192.0.2.2 bfd", "neighbor 192.0.2.2 bfd profile a", false],
    ["neighbor 192.0.2.2 route-map a in", "neighbor 192.0.2.2 route-map a out", false],
    ["route-map a permit 1", "route-map a deny 1", true],
    ["set community 1:1", "set community 2:2", true],
    ["set ip next-hop 10.0.0.1", "set ipv6 next-hop global 2001:db8::1", false],
    ["neighbor 192.0.2.2 activate", "no neighbor 192.0.2.2 activate", true],
  ] as const)("%s and %s: in place of each other is %s", ([one, other, isSame]) => {
    expect(slotOf(one) === slotOf(other)).toBe(isSame);
  });

  test("shows no secret", () => {
    expect(withoutSecret("neighbor 192.0.2.2 password s3cret")).toBe(
      "neighbor 192.0.2.2 password …",
    );
    expect(withoutSecret("neighbor 192.0.2.2 remote-as 5")).toBe("neighbor 192.0.2.2 remote-as 5");
  });

  test("makes a neighbour, or says something of one", () => {
    expect(makesPeer("neighbor e0 interface remote-as external")).toBe(true);
    expect(makesPeer("neighbor 192.0.2.2 description remote-as")).toBe(false);
  });
});
