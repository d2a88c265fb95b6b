/**
 * One digest for a whole state: equal facts, equal digest, in every version and on every host.
 *
 * Reads the state's content and never its layout in memory; for audits and fixtures, not for hot paths (digest.ts has the
 * incremental one). Reads next: state.ts.
 */
import { canonicalJson, type Sha256 } from "./digest.ts";
import { PersistentMap } from "./persistent-map.ts";
import type { DesiredState, State } from "./state.ts";

/** Hexadecimal SHA-256. */
export const stateDigest = (state: State | DesiredState, sha256: Sha256): string =>
  sha256(canonicalJson(contentOf(state)));

function contentOf(value: unknown): unknown {
  if (value instanceof PersistentMap) {
    return Object.fromEntries([...value].map(([key, one]) => [key, contentOf(one)]));
  }
  if (typeof value === "bigint") return value.toString();
  if (Array.isArray(value)) return value.map(contentOf);
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, contentOf(one)]));
  }
  return value;
}
