/**
 * A neighbour's receive rule and guard as a judge of prefixes, without making an object of one.
 *
 * Pure. RFC 8212 §2: nothing is accepted unless somebody asked for it; what is always blocked, nobody can ask for.
 */
import type { Family } from "../../events/address.ts";
import { bitsOf } from "../../events/address.ts";
import { prefixFamily, prefixLength } from "../../events/prefix.ts";
import type { NeighborIntent, ReceiveRule } from "../intent.ts";
import { DEFAULT_PREFIX_LIMIT, type Policy, type PrefixJudge } from "./rib/adj-rib-in.ts";
import { compileList } from "./rib/prefix-list.ts";
import { VERDICT } from "./rib/verdict.ts";

export function policyOf({ receive, receiveGuard }: NeighborIntent): Policy {
  const judge = judgeOf(receive);
  const blocked = receiveGuard?.alwaysBlock ?? [];
  const checkFirstAs = receiveGuard?.checkFirstAs ?? true;
  if (blocked.length === 0) return { judge, checkFirstAs };
  const isBlocked = compileList(
    blocked.map((prefix) => ({
      prefix,
      atLeast: prefixLength(prefix),
      atMost: bitsOf(prefixFamily(prefix)),
    })),
  );
  return {
    judge: (family, length, a, b, c, d) =>
      isBlocked(family, length, a, b, c, d) ? VERDICT.blocked : judge(family, length, a, b, c, d),
    checkFirstAs,
  };
}

function judgeOf(rule: ReceiveRule): PrefixJudge {
  if (rule.type === "nothing") return () => VERDICT.notAsked;
  if (rule.type === "everything") return () => VERDICT.accepted;
  const isListed = compileList(rule.prefixes);
  return (family, length, a, b, c, d) =>
    isListed(family, length, a, b, c, d) ? VERDICT.accepted : VERDICT.notListed;
}

/** Prefixes that are taken in at all: where the session ends at the maximum, none beyond it. */
export function limitsOf({ receiveGuard }: NeighborIntent): Readonly<Record<Family, number>> {
  const limit = (family: Family): number => {
    const maximum = receiveGuard?.maximumPrefixes[family];
    if (maximum === undefined || maximum.beyond.type === "warn") return DEFAULT_PREFIX_LIMIT;
    return Math.min(maximum.count, DEFAULT_PREFIX_LIMIT);
  };
  return { ipv4: limit("ipv4"), ipv6: limit("ipv6") };
}
