/**
 * Names of what is ours in gobgpd: all begin alike, and say by a digest what is in them.
 *
 * Pure. Content that differs has another name, so what gobgpd holds is compared by names alone, whatever it spells otherwise.
 */

/** Everything of this form is ours; nothing else ever is. */
export const OURS = "rutter-";

export const isOurs = (name: string): boolean => name.startsWith(OURS);

/** FNV-1a over the text, twice with different seeds: 64 bits for a few hundred names. */
export function digestOf(content: unknown): string {
  const text = JSON.stringify(content);
  let [low, high] = [0x811c9dc5, 0x5bd1e995];
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    low = Math.imul(low ^ unit, 0x01000193);
    high = Math.imul(high ^ unit ^ (at & 0xff), 0x01000193);
  }
  const hex = (part: number): string => (part >>> 0).toString(16).padStart(8, "0");
  return hex(low) + hex(high);
}

export const nameOf = (kind: string, content: unknown): string =>
  `${OURS}${kind}-${digestOf(content)}`;
