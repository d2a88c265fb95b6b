/** Octets as hexadecimal text and back: how opaque values are kept and shown (RFC 5492 §4, RFC 4271 §5). Nothing else. */

export function toHex(octets: Uint8Array): string {
  let text = "";
  for (const octet of octets) text += octet.toString(16).padStart(2, "0");
  return text;
}

/** Text that this program wrote. Throws on anything but pairs of hexadecimal digits: our own bug. */
export function fromHex(text: string): Uint8Array {
  if (!/^(?:[0-9a-f]{2})*$/i.test(text)) throw new Error(`not octets in hexadecimal: ${text}`);
  const octets = new Uint8Array(text.length / 2);
  for (let i = 0; i < octets.length; i += 1)
    octets[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return octets;
}
