/**
 * Which key a host signs with, and what it means when it is another one.
 *
 * Pure. A key that the reader's configuration pins is the only one that is believed. Without a pin the first key that is heard
 * is; a change of it is a fault that stays until the key is pinned or an operator accepts it, and says who and since when.
 * Reads next: reading.ts (who asks), heads.ts (what is remembered).
 */
import type { KnownHost } from "./heads.ts";

export type KeyFinding = {
  /** `new-key`: another one than before, which a pin names or an operator accepts. */
  readonly type: "other-key" | "not-pinned" | "new-key" | "unsigned";
  readonly reason: string;
};

export type KeyJudgement = { readonly believed: boolean; readonly findings: readonly KeyFinding[] };

/** What the key is worth: nothing of the host was signed yet in `unknown`. */
export type KeyStanding = "pinned" | "first heard" | "another" | "not pinned" | "unknown";

export type HostKey = {
  /** `at`: when the host made it, RFC 3339; `until`: when the newest one was made that is remembered. */
  checkpoint(key: string, at: string, until: string | undefined): KeyJudgement;
  /** `signer` undefined: nobody. What a pin refutes is not believed; otherwise it is said only. */
  fact(seq: number, signer: string | undefined): KeyJudgement;
  /** The same with what is remembered of keys from now on; the very same where nothing changed. */
  remembered(known: KnownHost): KnownHost;
  standing(): KeyStanding;
};

const BELIEVED: KeyJudgement = { believed: true, findings: [] };

/** `pins`: keys that are the host's, none where nothing is pinned. `accepts`: another key is taken for the host's. */
export function hostKey(
  before: KnownHost | undefined,
  { pins, accepts }: { readonly pins: readonly string[]; readonly accepts: boolean },
): HostKey {
  let key = before?.key;
  let former: readonly string[] = before?.former ?? [];
  let other = before?.other;
  let isRefuted = false;
  /** A thousand messages of one stranger are one word. */
  const said = new Set<string>();
  const once = (type: KeyFinding["type"], by: string, reason: string): readonly KeyFinding[] => {
    if (said.has(`${type} ${by}`)) return [];
    said.add(`${type} ${by}`);
    return [{ type, reason }];
  };
  const pinned = `fleet.yaml pins ${pins.join(", ")}`;

  const change = (to: string, why: string): KeyJudgement => {
    const findings = key === undefined ? [] : once("new-key", to, `${why}: it signed with ${key}`);
    if (key !== undefined) former = [...former.filter((one) => one !== to), key];
    key = to;
    other = undefined;
    return { believed: true, findings };
  };

  return {
    checkpoint(by, at, until) {
      if (pins.length > 0) {
        if (pins.includes(by)) {
          const isKnown = by === key || former.includes(by);
          return isKnown ? BELIEVED : change(by, `signs with ${by} now, as pinned`);
        }
        isRefuted = true;
        const reason = `a checkpoint of ${at} is signed by ${by}, and ${pinned}`;
        return { believed: false, findings: once("not-pinned", by, reason) };
      }
      if (key === undefined) return change(by, "");
      if (by === key || former.includes(by)) return BELIEVED;
      if (accepts) return change(by, `signs with ${by} since ${at}, which is accepted`);
      if (other?.key !== by) other = { key: by, at };
      const reason = [
        `it signs with ${by} since ${other.at} (its own clock), and signed with ${key}`,
        until === undefined ? "" : ` until ${until}`,
        "; if that is the host itself, pin the key in fleet.yaml (hostKeys) or accept it",
      ].join("");
      return { believed: false, findings: once("other-key", by, reason) };
    },
    fact(seq, signer) {
      const own = pins.length > 0 ? pins : key === undefined ? undefined : [key, ...former];
      if (own === undefined || (signer !== undefined && own.includes(signer))) return BELIEVED;
      const by = signer === undefined ? "nobody signed it" : `it is signed by ${signer}`;
      if (pins.length > 0) {
        isRefuted = true;
        const reason = `seq ${seq}: ${by}, and ${pinned}`;
        return { believed: false, findings: once("unsigned", signer ?? "", reason) };
      }
      if (accepts && signer !== undefined) {
        return change(signer, `seq ${seq} is signed by ${signer}, which is accepted`);
      }
      const reason = `seq ${seq}: ${by}, not ${key}`;
      return { believed: false, findings: once("unsigned", signer ?? "", reason) };
    },
    remembered(known) {
      const isSame =
        known.key === key && known.other === other && (known.former?.length ?? 0) === former.length;
      if (isSame) return known;
      const { former: _former, other: _other, ...rest } = known;
      return {
        ...rest,
        ...(key === undefined ? {} : { key }),
        ...(former.length === 0 ? {} : { former: [...former] }),
        ...(other === undefined ? {} : { other }),
      };
    },
    standing() {
      if (isRefuted) return "not pinned";
      if (pins.length > 0) return "pinned";
      if (other !== undefined) return "another";
      return key === undefined ? "unknown" : "first heard";
    },
  };
}

/** What the key that a host names in its status is worth; null: it names none. */
export function standingOf(
  key: string | null,
  pins: readonly string[],
  known: Pick<KnownHost, "key" | "former"> | undefined,
): KeyStanding {
  if (pins.length > 0) return key !== null && pins.includes(key) ? "pinned" : "not pinned";
  if (known === undefined) return "unknown";
  return key !== null && [known.key, ...(known.former ?? [])].includes(key)
    ? "first heard"
    : "another";
}
