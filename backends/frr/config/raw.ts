/**
 * Raw lines that users wrote: where each belongs, and what it became.
 *
 * Pure. FRR prints a line otherwise than it was written (`ip prefix-list a permit …` gets a number), so that what a snippet did is learned
 * from the running configuration before and after it; after a start of the agent, from the lines that are there as they were written. What
 * it did is wanted like what was rendered, and goes with it. Reads next: ../raw-lines.ts (who sends them), difference.ts.
 */
import type { Command } from "./difference.ts";
import { type ConfigTree, NO_LINES } from "./tree.ts";
import { makesPeer, peerOfLine, slotOf, vrfOfRouter } from "./words.ts";

export type Effect = {
  readonly added: readonly Command[];
  readonly removed: readonly Command[];
};

export const NO_EFFECT: Effect = { added: [], removed: [] };

/** Nodes by what opens them, outermost first; a line belongs to the innermost open node that it does not close. */
const OPENS: readonly (readonly [parent: RegExp | undefined, opens: RegExp])[] = [
  [undefined, /^(?:router |route-map \S+ (?:permit|deny) \d+$|vrf \S+$|interface |key chain )/],
  [/^router bgp/, /^address-family /],
  [/^address-family l2vpn evpn/, /^vni \d+$/],
];

/** Lines that stand at the top whatever node is open. */
const AT_TOP =
  /^(?:no )?(?:(?:ip|ipv6) (?:prefix-list|access-list|nht|route|protocol) |access-list |bgp (?:as-path|community-list|large-community-list|extcommunity-list|route-map) |no (?:route-map|router|vrf) )/;

/** What is no line of a configuration, and would do something else or end it: FRR's startup file is never written. `bfd` is of another daemon. */
const COMMAND =
  /^(?:do|write|copy|configure|enable|disable|clear|debug|show|terminal|quit|bfd|XFRR\S*|allow-reserved-ranges)\b/i;

export type RawLines = {
  readonly lines: readonly Command[];
  readonly refused: readonly string[];
};

export function placeRaw(text: string): RawLines {
  const lines: Command[] = [];
  const refused: string[] = [];
  let path: string[] = [];
  for (const written of text.split(/\r?\n/)) {
    const line = written.trim().replace(/\s+/g, " ");
    if (line === "" || line.startsWith("!") || line.startsWith("#")) continue;
    if (line === "end") path = [];
    else if (/^exit(?:-\S+)?$/.test(line)) path = path.slice(0, -1);
    else if (COMMAND.test(line)) refused.push(line);
    else {
      path = AT_TOP.test(line) ? [] : parentOf(path, line);
      lines.push({ path, line });
      if (isOpening(path, line)) path = [...path, line];
    }
  }
  return { lines, refused };
}

const isOpening = (path: readonly string[], line: string): boolean =>
  OPENS.some(
    ([parent, opens]) =>
      opens.test(line) &&
      (parent === undefined ? path.length === 0 : parent.test(path.at(-1) ?? "")),
  );

/** A line that opens a node closes those that can't hold it. */
function parentOf(path: readonly string[], line: string): string[] {
  for (let depth = path.length; depth >= 0; depth -= 1) {
    if (isOpening(path.slice(0, depth), line)) return path.slice(0, depth);
  }
  return [...path];
}

export type Found = { readonly effect: Effect; readonly isAll: boolean };

/** What of these lines is there as it was written. */
export function foundIn(current: ConfigTree, lines: readonly Command[]): Found {
  const added: Command[] = [];
  const removed: Command[] = [];
  let isAll = true;
  for (const { path, line } of lines) {
    const node = nodeAt(current, path);
    const positive = line.startsWith("no ") ? line.slice("no ".length) : undefined;
    const found = node === undefined ? undefined : spelledIn(node, line);
    if (found !== undefined) added.push({ path, line: found });
    else if (positive !== undefined && node?.has(positive) !== true)
      removed.push({ path, line: positive });
    else isAll = false;
  }
  return { effect: { added, removed }, isAll };
}

/** FRR gives a number to a rule that was written without. */
function spelledIn(node: ConfigTree, line: string): string | undefined {
  if (node.has(line)) return line;
  const [, list, rule] =
    /^((?:ip|ipv6|bgp) \S*list (?:standard |expanded )?\S+) ((?:permit|deny) .*)$/.exec(line) ?? [];
  if (list === undefined || rule === undefined) return undefined;
  return [...node.keys()].find(
    (known) =>
      known.startsWith(`${list} seq `) && known.replace(/ seq \d+ /, " ") === `${list} ${rule}`,
  );
}

export function nodeAt(tree: ConfigTree, path: readonly string[]): ConfigTree | undefined {
  let node: ConfigTree | undefined = tree;
  for (const line of path) node = node?.get(line);
  return node;
}

export function effectOf(before: ConfigTree, after: ConfigTree): Effect {
  const effect = { added: [] as Command[], removed: [] as Command[] };
  compare([], before, after, effect);
  return effect;
}

function compare(
  path: readonly string[],
  before: ConfigTree,
  after: ConfigTree,
  effect: { readonly added: Command[]; readonly removed: Command[] },
): void {
  for (const [line, children] of after) {
    if (!before.has(line)) effect.added.push({ path, line });
    compare([...path, line], before.get(line) ?? NO_LINES, children, effect);
  }
  for (const line of before.keys()) {
    if (!after.has(line)) effect.removed.push({ path, line });
  }
}

export const bothEffects = (one: Effect, other: Effect): Effect => ({
  added: [...one.added, ...other.added],
  removed: [...one.removed, ...other.removed],
});

/** What is wanted with what raw lines did to it. Of a router or neighbour that is not wanted any more, nothing is left. */
export function overlay(wanted: ConfigTree, effect: Effect): ConfigTree {
  let tree = wanted;
  for (const { path, line } of effect.removed) tree = changed(tree, path, line, false);
  for (const { path, line } of effect.added) {
    if (!isLost(tree, path, line)) tree = changed(tree, path, line, true);
  }
  return tree;
}

function isLost(tree: ConfigTree, path: readonly string[], line: string): boolean {
  const [top] = path;
  if (top === undefined) return false;
  const node = tree.get(top);
  if (node === undefined) return true;
  const peer = vrfOfRouter(top) === undefined ? undefined : peerOfLine(line);
  if (peer === undefined || makesPeer(line)) return false;
  return ![...node.keys()].some((known) => makesPeer(known) && peerOfLine(known) === peer);
}

function changed(
  tree: ConfigTree,
  path: readonly string[],
  line: string,
  isAdded: boolean,
): ConfigTree {
  const [first, ...rest] = path;
  const copy = new Map(tree);
  if (first !== undefined) {
    const child = tree.get(first);
    if (child === undefined && !isAdded) return tree;
    return copy.set(first, changed(child ?? NO_LINES, rest, line, isAdded));
  }
  if (!isAdded) {
    copy.delete(line);
    return copy;
  }
  if (copy.has(line)) return copy;
  const slot = slotOf(line);
  for (const known of tree.keys()) if (slotOf(known) === slot) copy.delete(known);
  return copy.set(line, NO_LINES);
}
