/**
 * Which own route is of which class, and which marker each class has.
 *
 * A class keeps its marker while its routes stay together, also when neighbours come and go and after a restart, for a path
 * with another marker is told anew. Owns a mutable book, so that one route costs one route. Pure.
 * Reads next: markers.ts, policies.ts.
 */
import type { Family } from "../../../events/address.ts";
import { type Prefix, prefixFamily } from "../../../events/prefix.ts";
import { setText } from "../../delta.ts";
import type { Export, SpeakerIntent } from "../../intent.ts";
import type { Marker } from "./markers.ts";
import type { RouteClass } from "./policies.ts";

type Counted = {
  readonly marker: Marker;
  readonly exports: readonly Export[];
  readonly counts: Record<Family, number>;
};

export type ClassBook = {
  /** By setText() of the exports. */
  readonly classes: Map<string, Counted>;
  readonly routes: Map<Prefix, Counted>;
};

export const emptyBook = (): ClassBook => ({ classes: new Map(), routes: new Map() });

/** Equal exports are mostly one object; only a memory of setText(). */
const texts = new WeakMap<readonly Export[], string>();
function textOf(exports: readonly Export[]): string {
  const known = texts.get(exports);
  if (known !== undefined) return known;
  const text = setText(exports);
  texts.set(exports, text);
  return text;
}

/** What is told of a prefix by all routers together: gobgpd has one table. Empty: nobody is told. */
export function exportsOf(intent: SpeakerIntent, prefix: Prefix): readonly Export[] {
  const all = intent.routers.flatMap(({ routes }) => routes.get(prefix)?.exports ?? []);
  const [only] = intent.routers;
  return intent.routers.length === 1 ? (only?.routes.get(prefix)?.exports ?? []) : all;
}

/**
 * The whole book for an intent. `held`: markers that gobgpd's table has; `before`: the book until now, for the markers of
 * classes that are still there. `mayKeep`: a class may go on with the marker of another that its routes had: not where
 * somebody is told them no longer, for gobgpd withdraws from a peer only what its policy still knows.
 */
export function bookOf(
  intent: SpeakerIntent,
  held: ReadonlyMap<Prefix, Marker>,
  before: ClassBook,
  mayKeep: (marker: Marker, exports: readonly Export[]) => boolean,
): ClassBook {
  const drafts = new Map<string, { exports: readonly Export[]; prefixes: Prefix[] }>();
  const prefixes = new Set(intent.routers.flatMap(({ routes }) => [...routes.keys()]));
  for (const prefix of prefixes) {
    const exports = exportsOf(intent, prefix);
    if (exports.length === 0) continue;
    const text = textOf(exports);
    const draft = drafts.get(text) ?? { exports, prefixes: [] };
    drafts.set(text, draft);
    draft.prefixes.push(prefix);
  }
  const markers = new Map<string, Marker>();
  const taken = new Set<Marker>();
  const claim = (text: string, marker: Marker | undefined): void => {
    if (marker === undefined || taken.has(marker) || markers.has(text)) return;
    taken.add(marker);
    markers.set(text, marker);
  };
  for (const text of drafts.keys()) claim(text, before.classes.get(text)?.marker);
  for (const [text, draft] of drafts) {
    for (const prefix of draft.prefixes) {
      const marker = held.get(prefix);
      if (marker !== undefined && mayKeep(marker, draft.exports)) claim(text, marker);
      if (markers.has(text)) break;
    }
  }
  const book = emptyBook();
  // A marker whose routes go elsewhere still stands in gobgpd's table and in its policies.
  for (const marker of held.values()) taken.add(marker);
  let next = 1;
  for (const [text, { exports, prefixes: own }] of drafts) {
    while (taken.has(next)) next += 1;
    claim(text, next);
    const one: Counted = {
      marker: markers.get(text) ?? next,
      exports,
      counts: { ipv4: 0, ipv6: 0 },
    };
    book.classes.set(text, one);
    for (const prefix of own) {
      book.routes.set(prefix, one);
      one.counts[prefixFamily(prefix)] += 1;
    }
  }
  return book;
}

/** Puts one route where it belongs. `isNew`: its class has statements to be made first. */
export function takeRoute(
  book: ClassBook,
  prefix: Prefix,
  exports: readonly Export[],
): { readonly marker: Marker | undefined; readonly isNew: boolean } {
  const family = prefixFamily(prefix);
  const old = book.routes.get(prefix);
  if (old !== undefined) old.counts[family] -= 1;
  if (exports.length === 0) {
    book.routes.delete(prefix);
    return { marker: undefined, isNew: false };
  }
  const text = textOf(exports);
  const known = book.classes.get(text) ?? {
    marker: freeMarker(book),
    exports,
    counts: { ipv4: 0, ipv6: 0 },
  };
  book.classes.set(text, known);
  book.routes.set(prefix, known);
  known.counts[family] += 1;
  return { marker: known.marker, isNew: known.counts[family] === 1 };
}

function freeMarker({ classes }: ClassBook): Marker {
  const taken = new Set([...classes.values()].map(({ marker }) => marker));
  let marker = 1;
  while (taken.has(marker)) marker += 1;
  return marker;
}

/** Classes that no route is in any more; the book forgets them. */
export function dropEmpty(book: ClassBook): boolean {
  let dropped = false;
  for (const [text, { counts }] of book.classes) {
    if (counts.ipv4 + counts.ipv6 > 0) continue;
    book.classes.delete(text);
    dropped = true;
  }
  return dropped;
}

export function* routeClasses(book: ClassBook): Generator<RouteClass> {
  for (const { marker, exports, counts } of book.classes.values()) {
    const families = (["ipv4", "ipv6"] as const).filter((family) => counts[family] > 0);
    yield { marker, exports, families };
  }
}
