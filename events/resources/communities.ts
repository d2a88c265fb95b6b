/**
 * BGP communities as these kinds write them: `high:low` (RFC 1997), `large:global:local1:local2` (RFC 8092), and names.
 *
 * A text that is no number is a name: somebody may define it later in a Community, so it is never an error here.
 * Whoever resolves a name looks among Community resources first and then at wellKnownCommunities.
 */

export type CommunityValue =
  /** `high << 16 | low`, unsigned (RFC 1997). */
  | { readonly type: "standard"; readonly value: number }
  /** Canonical text `global:local1:local2` (RFC 8092 §5). */
  | { readonly type: "large"; readonly value: string };

export type CommunityRef = CommunityValue | { readonly type: "name"; readonly name: string };

const DIGITS = /^\d{1,10}$/;

/** Undefined where the text is no community of either sort. */
export function parseCommunity(text: string): CommunityValue | undefined {
  const parts = text.split(":");
  if (parts[0] === "large") return largeCommunity(parts.slice(1));
  const [high, low] = parts.map((part) => numberUpTo(part, 0xffff));
  if (parts.length !== 2 || high === undefined || low === undefined) return undefined;
  return { type: "standard", value: high * 0x1_0000 + low };
}

export const communityRef = (text: string): CommunityRef =>
  parseCommunity(text) ?? { type: "name", name: text };

/** The text a user would write; equal communities have equal text. */
export function communityText(community: CommunityRef): string {
  if (community.type === "name") return community.name;
  if (community.type === "large") return `large:${community.value}`;
  return `${Math.floor(community.value / 0x1_0000)}:${community.value % 0x1_0000}`;
}

function largeCommunity(parts: readonly string[]): CommunityValue | undefined {
  const numbers = parts.map((part) => numberUpTo(part, 0xffff_ffff));
  if (numbers.length !== 3 || numbers.includes(undefined)) return undefined;
  return { type: "large", value: numbers.join(":") };
}

function numberUpTo(text: string, max: number): number | undefined {
  if (!DIGITS.test(text)) return undefined;
  const value = Number(text);
  return value <= max ? value : undefined;
}

/** IANA, "BGP Well-known Communities", under the names that routers and other agents use for them. */
export const wellKnownCommunities: Readonly<Record<string, CommunityValue>> = {
  internet: standard(0),
  "planned-shut": standard(0xffff_0000),
  "graceful-shutdown": standard(0xffff_0000),
  "accept-own": standard(0xffff_0001),
  "route-filter-translated-v4": standard(0xffff_0002),
  "route-filter-v4": standard(0xffff_0003),
  "route-filter-translated-v6": standard(0xffff_0004),
  "route-filter-v6": standard(0xffff_0005),
  "llgr-stale": standard(0xffff_0006),
  "no-llgr": standard(0xffff_0007),
  blackhole: standard(0xffff_029a),
  "no-export": standard(0xffff_ff01),
  "no-advertise": standard(0xffff_ff02),
  "local-AS": standard(0xffff_ff03),
  "no-peer": standard(0xffff_ff04),
};

function standard(value: number): CommunityValue {
  return { type: "standard", value };
}
