/**
 * Protocol buffers' octets taken apart, for the few messages whose shape differs between versions of gobgpd.
 *
 * Total: octets that are no message end the walk. Pure. Reads next: nlri.ts, capabilities.ts.
 */

export type Field = { readonly number: number; readonly value: number | Uint8Array };

/** Wire types of the encoding. */
const VARINT = 0;
const FIXED_64 = 1;
const OCTETS = 2;
const FIXED_32 = 5;

export function* fieldsOf(octets: Uint8Array): Generator<Field> {
  let at = 0;
  const varint = (): number | undefined => {
    let value = 0;
    for (let factor = 1; factor <= 2 ** 49; factor *= 128) {
      const octet = octets[at];
      if (octet === undefined) return undefined;
      at += 1;
      value += (octet & 0x7f) * factor;
      if (octet < 0x80) return value;
    }
    return undefined;
  };
  while (at < octets.length) {
    const tag = varint();
    if (tag === undefined) return;
    const number = Math.floor(tag / 8);
    const wire = tag % 8;
    if (wire === VARINT) {
      const value = varint();
      if (value === undefined) return;
      yield { number, value };
    } else {
      const length =
        wire === OCTETS ? varint() : wire === FIXED_64 ? 8 : wire === FIXED_32 ? 4 : undefined;
      if (length === undefined || at + length > octets.length) return;
      yield { number, value: octets.subarray(at, at + length) };
      at += length;
    }
  }
}

/** The last octets of that number, as the encoding has it for a field that stands twice. */
export const octetsIn = (octets: Uint8Array, number: number): Uint8Array | undefined =>
  [...fieldsOf(octets)].findLast(
    (one): one is Field & { readonly value: Uint8Array } =>
      one.number === number && typeof one.value !== "number",
  )?.value;

export const numberIn = (octets: Uint8Array, number: number): number | undefined =>
  [...fieldsOf(octets)].findLast(
    (one): one is Field & { readonly value: number } =>
      one.number === number && typeof one.value === "number",
  )?.value;
