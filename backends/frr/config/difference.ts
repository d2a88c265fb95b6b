/**
 * From the configuration that is there to the one that is wanted: commands, in an order that FRR takes.
 *
 * Pure. What something else names is made before, and removed after, whatever names it. A line whose value changes is said anew and
 * never unsaid before, so that no policy is missing for a moment, and no session resets that FRR itself would not reset. What is not in
 * the scope is never touched. Reads next: words.ts (what FRR does with a line), ../send.ts.
 */
import { type ConfigTree, NO_LINES } from "./tree.ts";
import { makesPeer, peerOfLine, slotOf, unsaid, vrfOfRouter } from "./words.ts";

export type Command = {
  /** Lines that open the nodes that it stands in; empty at the top. */
  readonly path: readonly string[];
  readonly line: string;
};

/** Commands in four lots; only the first and the last are northbound transactions (send.ts). */
export type Change = {
  readonly definitions: readonly Command[];
  readonly routers: readonly Command[];
  readonly removals: readonly Command[];
};

export type Scope = {
  /** Whether a line that is there and not wanted is ours to remove. The path leads to it. */
  readonly isOurs: (path: readonly string[], line: string) => boolean;
};

export const isNoChange = ({ definitions, routers, removals }: Change): boolean =>
  definitions.length + routers.length + removals.length === 0;

export function difference(current: ConfigTree, wanted: ConfigTree, scope: Scope): Change {
  const definitions: Command[] = [];
  const removals: Command[] = [];
  const there = bySlot(current);
  for (const [line, children] of wanted) {
    if (vrfOfRouter(line) !== undefined) continue;
    definitions.push(...nodeChange([], line, children, there.get(slotOf(line)), current, scope));
  }
  const kept = new Set([...wanted.keys()].map((line) => slotOf(line)));
  for (const line of current.keys()) {
    if (vrfOfRouter(line) !== undefined || kept.has(slotOf(line))) continue;
    if (scope.isOurs([], line)) removals.push({ path: [], line: unsaid(line) });
  }
  return {
    definitions: definitions.toSorted((a, b) => makingRank(a) - makingRank(b)),
    routers: routerChanges(current, wanted, scope),
    removals: removals.toSorted((a, b) => makingRank(b) - makingRank(a)),
  };
}

/** Lists before the maps that match them. */
const makingRank = ({ path, line }: Command): number =>
  /^(?:no )?route-map /.test(path[0] ?? line) ? 1 : 0;

/** Lines that open a node even where nothing is in it. */
const NODE = /^(?:route-map|profile|bfd$|vrf |router bgp)/;

/** A node at the top that is no router: its line, what is missing in it, what is too much. */
function* nodeChange(
  path: readonly string[],
  line: string,
  children: ConfigTree,
  known: string | undefined,
  current: ConfigTree,
  scope: Scope,
): Generator<Command> {
  const before = known === undefined ? undefined : current.get(known);
  if (known !== line) yield { path, line };
  if (children.size === 0 && !NODE.test(line)) return;
  const inside = [...path, line];
  const there = before ?? NO_LINES;
  const slots = bySlot(there);
  for (const [child, grandchildren] of children) {
    yield* nodeChange(inside, child, grandchildren, slots.get(slotOf(child)), there, scope);
  }
  const kept = new Set([...children.keys()].map((child) => slotOf(child)));
  for (const child of there.keys()) {
    if (kept.has(slotOf(child)) || !scope.isOurs(inside, child)) continue;
    yield { path: inside, line: unsaid(child) };
  }
}

const bySlot = (tree: ConfigTree): ReadonlyMap<string, string> =>
  new Map([...tree.keys()].map((line) => [slotOf(line), line]));

const IMPORT = /^import vrf (?!route-map)(\S+)$/;

/**
 * Routers. A router that goes, goes before others come: bgpd has one for each VRF. It does not go while another imports from it, and the default
 * one goes last; what is imported is said last, for bgpd makes a router by itself where one is missing.
 */
function routerChanges(current: ConfigTree, wanted: ConfigTree, scope: Scope): Command[] {
  const leaving = [...current.keys()].filter(
    (line) => vrfOfRouter(line) !== undefined && !wanted.has(line) && scope.isOurs([], line),
  );
  const left = new Set(leaving.map((line) => frrVrf(line)));
  const unlinked: Command[] = [];
  const rest = new Map<string, ConfigTree>();
  for (const [line, node] of current) {
    if (vrfOfRouter(line) === undefined || leaving.includes(line)) continue;
    rest.set(line, withoutImports(line, node, left, unlinked));
  }
  const gone = leaving
    .toSorted((a, b) => Number(vrfOfRouter(a) === "") - Number(vrfOfRouter(b) === ""))
    .flatMap((line): Command[] => [
      ...importsOf(line, current.get(line) ?? NO_LINES),
      { path: [], line: unsaid(line) },
    ]);
  // Those whose imports are unsaid go first, whoever imports from whom.
  const isImport = ({ path }: Command): boolean => path.length > 0;
  const made: Command[] = [];
  const linked: Command[] = [];
  for (const [line, children] of wanted) {
    if (vrfOfRouter(line) === undefined) continue;
    for (const command of routerChange(line, rest.get(line), children, scope)) {
      (IMPORT.test(command.line) ? linked : made).push(command);
    }
  }
  for (const [line, node] of rest) {
    if (!wanted.has(line)) made.push(...routerChange(line, node, NO_LINES, scope));
  }
  return [
    ...unlinked,
    ...gone.filter(isImport),
    ...gone.filter((one) => !isImport(one)),
    ...made,
    ...linked,
  ];
}

/** A node of a router that is unsaid as a whole, where a family is there for good. */
const TARGETS = /^bmp targets /;

const frrVrf = (routerLine: string): string => vrfOfRouter(routerLine) || "default";

function importsOf(router: string, node: ConfigTree): Command[] {
  return [...node].flatMap(([family, lines]) =>
    [...lines.keys()]
      .filter((line) => IMPORT.test(line))
      .map((line) => ({ path: [router, family], line: unsaid(line) })),
  );
}

/** The node as it is when nothing is imported any more from the VRFs whose routers go. */
function withoutImports(
  router: string,
  node: ConfigTree,
  left: ReadonlySet<string>,
  unlinked: Command[],
): ConfigTree {
  if (left.size === 0) return node;
  const isLeft = (line: string): boolean => left.has(IMPORT.exec(line)?.[1] ?? "");
  const commands = importsOf(router, node).filter(({ line }) => isLeft(line.slice("no ".length)));
  if (commands.length === 0) return node;
  unlinked.push(...commands);
  return new Map(
    [...node].map(([family, lines]) => [
      family,
      new Map([...lines].filter(([line]) => !isLeft(line))),
    ]),
  );
}

function* routerChange(
  router: string,
  before: ConfigTree | undefined,
  wanted: ConfigTree,
  scope: Scope,
): Generator<Command> {
  const current = before ?? NO_LINES;
  const path = [router];
  if (before === undefined) yield { path: [], line: router };
  const staying = peersOf(wanted);
  const gone = new Set(
    [...current.keys()].flatMap((line) => {
      const peer = makesPeer(line) ? peerOfLine(line) : undefined;
      return peer !== undefined && !staying.has(peer) && scope.isOurs(path, line) ? [peer] : [];
    }),
  );
  for (const peer of gone) yield { path, line: `no neighbor ${peer}` };
  const isGone = (line: string): boolean => gone.has(peerOfLine(line) ?? "");
  yield* leafChange(path, current, wanted, scope, isGone);
  for (const [family, lines] of wanted) {
    if (lines.size === 0) continue;
    yield* familyChange([router, family], current.get(family) ?? NO_LINES, lines, scope, isGone);
  }
  for (const [family, lines] of current) {
    if (lines.size === 0 || wanted.has(family)) continue;
    if (TARGETS.test(family)) {
      if (scope.isOurs(path, family)) yield { path, line: unsaid(family) };
    } else yield* familyChange([router, family], lines, NO_LINES, scope, isGone);
  }
}

const peersOf = (router: ConfigTree): ReadonlySet<string> =>
  new Set([...router.keys()].flatMap((line) => (makesPeer(line) ? [peerOfLine(line) ?? ""] : [])));

/** Lines without lines beneath them: what is too much first, for one slot of FRR's may be two of ours. */
function* leafChange(
  path: readonly string[],
  current: ConfigTree,
  wanted: ConfigTree,
  scope: Scope,
  isGone: (line: string) => boolean,
): Generator<Command> {
  const kept = new Set([...wanted.keys()].map((line) => slotOf(line)));
  // Backwards: unsaying `bfd profile` behind `bfd` would bring `bfd` back.
  for (const [line, children] of [...current].toReversed()) {
    if (children.size > 0 || isGone(line) || kept.has(slotOf(line))) continue;
    if (scope.isOurs(path, line)) yield { path, line: unsaid(line) };
  }
  const missing = [...wanted].filter(
    ([line, children]) => children.size === 0 && !current.has(line),
  );
  // A family comes to a neighbour when its rules are there.
  const rank = ([line]: readonly [string, ConfigTree]): number =>
    Number(line.endsWith(" activate"));
  for (const [line] of missing.toSorted((a, b) => rank(a) - rank(b))) yield { path, line };
}

/** A family, with nodes of its own beneath (EVPN: `vni N`). */
function* familyChange(
  path: readonly string[],
  current: ConfigTree,
  wanted: ConfigTree,
  scope: Scope,
  isGone: (line: string) => boolean,
): Generator<Command> {
  yield* leafChange(path, current, wanted, scope, isGone);
  for (const [line, lines] of wanted) {
    if (lines.size > 0)
      yield* leafChange([...path, line], current.get(line) ?? NO_LINES, lines, scope, isGone);
  }
  for (const [line, lines] of current) {
    if (lines.size > 0 && !wanted.has(line) && scope.isOurs(path, line))
      yield { path, line: unsaid(line) };
  }
}
