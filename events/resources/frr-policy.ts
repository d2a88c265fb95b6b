/**
 * What an FRRConfiguration's neighbour is told and what it may send, in canonical form.
 *
 * Nothing said means nothing told and nothing accepted. Never looks beyond the neighbour's own router.
 */
import * as z from "zod";
import { type Address, type Family, familyOf } from "../address.ts";
import { comparePrefixes, type Prefix, prefixFamily, prefixLength } from "../prefix.ts";
import { type CommunityValue, communityText, parseCommunity } from "./communities.ts";
import { MAX_UINT32, prefixAt, quoted, text, texts, unicastAt, whole } from "./fields.ts";
import { type Path, type Reading } from "./reading.ts";

export type FrrAdvertise = {
  readonly allowed:
    | { readonly type: "all" }
    | { readonly type: "filtered"; readonly prefixes: readonly Prefix[] };
  readonly nextHopIpv4?: Address;
  readonly nextHopIpv6?: Address;
  readonly withLocalPref: readonly {
    readonly localPref: number;
    readonly prefixes: readonly Prefix[];
  }[];
  readonly withCommunity: readonly {
    readonly community: CommunityValue;
    readonly prefixes: readonly Prefix[];
  }[];
};

export type FrrReceive =
  | { readonly type: "all" }
  | { readonly type: "filtered"; readonly prefixes: readonly PrefixFilter[] };

/** Lengths `ge` to `le`, both included; an exact match has both at the prefix's own. */
export type PrefixFilter = { readonly prefix: Prefix; readonly ge: number; readonly le: number };

const mode = z.enum(["all", "filtered", ""]).optional();
const somePrefixes = texts.min(1, "needs at least one prefix");
export const writtenAdvertise = z.strictObject({
  allowed: z.strictObject({ mode, prefixes: texts.optional() }).optional(),
  nextHop: z.strictObject({ ipv4: text.optional(), ipv6: text.optional() }).optional(),
  withLocalPref: z
    .array(z.strictObject({ localPref: whole(0, MAX_UINT32), prefixes: somePrefixes }))
    .optional(),
  withCommunity: z.array(z.strictObject({ community: text, prefixes: somePrefixes })).optional(),
});
const bound = whole(0, 128).optional();
export const writtenFilter = z.strictObject({ prefix: text, le: bound, ge: bound });
export const writtenReceive = z.strictObject({
  allowed: z.strictObject({ mode, prefixes: z.array(writtenFilter).optional() }).optional(),
});
type WrittenAdvertise = z.infer<typeof writtenAdvertise>;

type Place = { readonly families: readonly Family[]; readonly advertisable: ReadonlySet<Prefix> };

export function advertiseAt(
  reading: Reading,
  path: Path,
  written: WrittenAdvertise | undefined,
  place: Place,
): FrrAdvertise {
  const all = written?.allowed?.mode === "all";
  const at = [...path, "allowed", "prefixes"];
  const listed = prefixesAt(reading, at, written?.allowed?.prefixes);
  for (const { prefix, path: where } of listed) checkAdvertised(reading, where, prefix, place);
  const told = all ? place.advertisable : new Set(listed.map(({ prefix }) => prefix));
  const nextHopIpv4 = nextHopAt(
    reading,
    [...path, "nextHop", "ipv4"],
    written?.nextHop?.ipv4,
    "ipv4",
    place,
  );
  const nextHopIpv6 = nextHopAt(
    reading,
    [...path, "nextHop", "ipv6"],
    written?.nextHop?.ipv6,
    "ipv6",
    place,
  );
  return {
    allowed: all
      ? { type: "all" }
      : { type: "filtered", prefixes: [...told].toSorted(comparePrefixes) },
    ...(nextHopIpv4 === undefined ? {} : { nextHopIpv4 }),
    ...(nextHopIpv6 === undefined ? {} : { nextHopIpv6 }),
    withLocalPref: localPrefsAt(
      reading,
      [...path, "withLocalPref"],
      written?.withLocalPref ?? [],
      told,
    ),
    withCommunity: communitiesAt(
      reading,
      [...path, "withCommunity"],
      written?.withCommunity ?? [],
      told,
    ),
  };
}

type Placed = { readonly prefix: Prefix; readonly path: Path };

function prefixesAt(
  reading: Reading,
  path: Path,
  lines: readonly string[] = [],
): readonly Placed[] {
  return lines.flatMap((line, i) => {
    const prefix = prefixAt(reading, [...path, i], line);
    return prefix === undefined ? [] : [{ prefix, path: [...path, i] }];
  });
}

function checkAdvertised(reading: Reading, path: Path, prefix: Prefix, place: Place): void {
  if (!place.advertisable.has(prefix)) {
    reading.refuse(
      path,
      "required",
      `${prefix} is in neither the router's prefixes nor those of an imported VRF: add it to the router`,
    );
  } else if (!place.families.includes(prefixFamily(prefix)) && place.families.length > 0) {
    reading.refuse(
      path,
      "family-mismatch",
      `${prefix} is of a family that this session does not carry: set dualStackAddressFamily`,
    );
  }
}

function nextHopAt(
  reading: Reading,
  path: Path,
  written: string | undefined,
  family: Family,
  place: Place,
): Address | undefined {
  const address = unicastAt(reading, path, written);
  if (address === undefined) return undefined;
  if (familyOf(address) !== family) {
    reading.refuse(path, "family-mismatch", `${address} is not of this family`);
  } else if (!place.families.includes(family)) {
    reading.refuse(
      path,
      "family-mismatch",
      `this session does not carry ${family}: set dualStackAddressFamily or remove it`,
    );
  }
  return address;
}

function localPrefsAt(
  reading: Reading,
  path: Path,
  written: NonNullable<WrittenAdvertise["withLocalPref"]>,
  told: ReadonlySet<Prefix>,
): FrrAdvertise["withLocalPref"] {
  const items = written.map(({ localPref, prefixes }, i) => ({
    localPref,
    prefixes: toldAt(reading, [...path, i, "prefixes"], prefixes, told),
  }));
  refuseSameValue(
    reading,
    path,
    items.map(({ localPref, prefixes }) => ({ value: String(localPref), prefixes })),
    "this localPref",
  );
  const owner = new Map<Prefix, number>();
  for (const [i, { localPref, prefixes }] of items.entries()) {
    for (const prefix of prefixes) {
      if ((owner.get(prefix) ?? localPref) !== localPref) {
        reading.refuse(
          [...path, i, "prefixes"],
          "duplicate",
          `${prefix} already has localPref ${owner.get(prefix)}: a prefix has one`,
        );
      }
      owner.set(prefix, localPref);
    }
  }
  return items;
}

function communitiesAt(
  reading: Reading,
  path: Path,
  written: NonNullable<WrittenAdvertise["withCommunity"]>,
  told: ReadonlySet<Prefix>,
): FrrAdvertise["withCommunity"] {
  const items = written.flatMap((item, i) => {
    const community = parseCommunity(item.community);
    const prefixes = toldAt(reading, [...path, i, "prefixes"], item.prefixes, told);
    if (community !== undefined) return [{ community, prefixes }];
    reading.refuse(
      [...path, i, "community"],
      "bad-value",
      `${quoted(item.community)} is no community: write high:low (0–65535 each) or large:a:b:c`,
    );
    return [];
  });
  refuseSameValue(
    reading,
    path,
    items.map(({ community, prefixes }) => ({ value: communityText(community), prefixes })),
    "this community",
  );
  return items;
}

/** Each value once per address family. */
function refuseSameValue(
  reading: Reading,
  path: Path,
  items: readonly { readonly value: string; readonly prefixes: readonly Prefix[] }[],
  what: string,
): void {
  const seen = new Set<string>();
  for (const [i, { value, prefixes }] of items.entries()) {
    for (const family of new Set(prefixes.map(prefixFamily))) {
      const key = `${family} ${value}`;
      if (seen.has(key))
        reading.refuse(
          [...path, i],
          "duplicate",
          `${what} occurs twice for ${family}: put the prefixes into one list`,
        );
      seen.add(key);
    }
  }
}

function toldAt(
  reading: Reading,
  path: Path,
  lines: readonly string[],
  told: ReadonlySet<Prefix>,
): readonly Prefix[] {
  const placed = prefixesAt(reading, path, lines);
  for (const { prefix, path: where } of placed) {
    if (!told.has(prefix))
      reading.refuse(
        where,
        "required",
        `${prefix} is not advertised to this neighbour: add it to toAdvertise.allowed.prefixes`,
      );
  }
  return [...new Set(placed.map(({ prefix }) => prefix))].toSorted(comparePrefixes);
}

export function receiveAt(
  reading: Reading,
  path: Path,
  written: z.infer<typeof writtenReceive> | undefined,
  families: readonly Family[],
): FrrReceive {
  if (written?.allowed?.mode === "all") return { type: "all" };
  const at = [...path, "allowed", "prefixes"];
  const list = written?.allowed?.prefixes ?? [];
  const prefixes = list.flatMap((item, i) => filterAt(reading, [...at, i], item, families) ?? []);
  return { type: "filtered", prefixes };
}

/** Undefined where it was refused. `families`: those that the session carries; empty for any. */
export function filterAt(
  reading: Reading,
  path: Path,
  written: z.infer<typeof writtenFilter>,
  families: readonly Family[],
): PrefixFilter | undefined {
  const prefix = prefixAt(reading, [...path, "prefix"], written.prefix);
  if (prefix === undefined) return undefined;
  if (families.length > 0 && !families.includes(prefixFamily(prefix))) {
    reading.warn(
      [...path, "prefix"],
      "family-mismatch",
      `${prefix} is of a family that this session does not carry`,
    );
  }
  const length = prefixLength(prefix);
  const full = prefixFamily(prefix) === "ipv4" ? 32 : 128;
  const said = { ge: written.ge || undefined, le: written.le || undefined };
  const ge = said.ge ?? length;
  // With `ge` alone every longer prefix matches, as in the router's own prefix lists.
  const le = said.le ?? (said.ge === undefined ? length : full);
  if (length <= ge && ge <= le && le <= full) return { prefix, ge, le };
  const field = le > full || said.ge === undefined ? "le" : "ge";
  reading.refuse([...path, field], "out-of-range", `must be: length ${length} ≤ ge ≤ le ≤ ${full}`);
  return undefined;
}
