/**
 * Community names → values: Community resources first, then the well-known names of IANA.
 */
import {
  type CommunityRef,
  type CommunityValue,
  wellKnownCommunities,
} from "../../events/resources/communities.ts";

export type Resolved = {
  /** Ascending, without doubles. */
  readonly communities: readonly number[];
  readonly largeCommunities: readonly string[];
  /** The first name that nobody defines. */
  readonly unknown: string | undefined;
};

export function resolveCommunities(
  refs: readonly CommunityRef[],
  aliases: readonly { readonly name: string; readonly value: CommunityValue }[],
): Resolved {
  const values: CommunityValue[] = [];
  let unknown: string | undefined;
  for (const ref of refs) {
    const value = ref.type === "name" ? named(ref.name, aliases) : ref;
    if (value !== undefined) values.push(value);
    else if (ref.type === "name") unknown ??= ref.name;
  }
  return {
    communities: sortedCommunities(values.flatMap((v) => (v.type === "standard" ? [v.value] : []))),
    largeCommunities: sortedLarge(values.flatMap((v) => (v.type === "large" ? [v.value] : []))),
    unknown,
  };
}

function named(
  name: string,
  aliases: readonly { readonly name: string; readonly value: CommunityValue }[],
): CommunityValue | undefined {
  const alias = aliases.find((one) => one.name === name);
  if (alias !== undefined) return alias.value;
  return Object.hasOwn(wellKnownCommunities, name) ? wellKnownCommunities[name] : undefined;
}

export const sortedCommunities = (values: Iterable<number>): readonly number[] =>
  [...new Set(values)].toSorted((a, b) => a - b);

/** By value, not as text (RFC 8092 §5 has canonical numbers). */
export const sortedLarge = (values: Iterable<string>): readonly string[] =>
  [...new Set(values)].toSorted((a, b) => {
    const x = a.split(":").map(Number);
    const y = b.split(":").map(Number);
    return (x[0] ?? 0) - (y[0] ?? 0) || (x[1] ?? 0) - (y[1] ?? 0) || (x[2] ?? 0) - (y[2] ?? 0);
  });
