/**
 * Configurations as text, for golden files and for what a daemon prints.
 */
import { type ConfigTree, NO_LINES } from "../../backends/frr/config/tree.ts";
import type { Rendered } from "../../backends/frr/render/render.ts";

/** One line each, a blank in front for each level. */
export const textOf = (tree: ConfigTree, depth = 0): string =>
  [...tree]
    .map(([line, children]) => `${" ".repeat(depth)}${line}\n${textOf(children, depth + 1)}`)
    .join("");

export const goldenText = ({ bgpd, bfdd, zebra, withheld }: Rendered): string =>
  [
    `! bgpd\n${textOf(bgpd)}`,
    `! bfdd\n${textOf(bfdd)}`,
    `! zebra\n${textOf(zebra)}`,
    ...[...withheld].map(([key, reason]) => `! withheld ${key}: ${reason}\n`),
  ].join("");

/** Of a running configuration: lines of ours, whatever else the daemon prints at its top level. */
const OURS =
  /^(?:router bgp|(?:no )?route-map|ip prefix-list|ipv6 prefix-list|bfd$|ip nht|ipv6 nht|vrf) ?/;
const ENDS = /^(?:exit|exit-\S+|!.*|)$/;

export function treeOf(running: string): ConfigTree {
  type Node = Map<string, ConfigTree>;
  const top: Node = new Map();
  const open: Node[] = [top];
  for (const text of running.split("\n")) {
    const line = text.trim();
    if (ENDS.test(line)) continue;
    const depth = text.length - text.trimStart().length;
    if (depth === 0 && !OURS.test(line)) {
      open.length = 1;
      continue;
    }
    const parent = open[depth];
    // Lines beneath one that is not ours.
    if (parent === undefined) continue;
    const node: Node = new Map();
    parent.set(line, node);
    open.length = depth + 1;
    open.push(node);
  }
  return top.size === 0 ? NO_LINES : top;
}

/** How a node is left whose lines were said. */
const END: readonly (readonly [string, string])[] = [
  ["address-family ", "exit-address-family"],
  ["vrf ", "exit-vrf"],
  ["vni ", "exit-vni"],
];
/** Nodes that are entered even where nothing is said in them. */
const NODE = /^(?:router bgp|route-map|profile|bfd$)/;

/** Within `configure terminal`; every node is left again. */
export const commandsOf = (tree: ConfigTree): string[] =>
  [...tree].flatMap(([line, children]) => {
    if (children.size === 0 && !NODE.test(line)) return [line];
    const end = END.find(([start]) => line.startsWith(start))?.[1] ?? "exit";
    return [line, ...commandsOf(children), end];
  });

/** As it is compared: order is nobody's business but a golden file's. */
export const plain = (tree: ConfigTree): unknown =>
  Object.fromEntries([...tree].map(([line, children]) => [line, plain(children)]));
