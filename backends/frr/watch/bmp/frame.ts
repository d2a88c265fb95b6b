/**
 * Octets of a BMP connection into whole messages (RFC 7854 §4.1).
 *
 *   0                   1                   2                   3
 *   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *  +---------------+
 *  |  Version (3)  |
 *  +---------------------------------------------------------------+
 *  |            Length of the message, header and all              |
 *  +---------------------------------------------------------------+
 *  |     Type      |
 *  +---------------+
 *
 * Pure but for what it collects, which is never more than one message. Reads next: message.ts.
 */

const VERSION = 3;
export const COMMON_OCTETS = 6;
/** The longest that bgpd has cause to send is a whole BGP message of 65,535 octets (RFC 8654) with its headers. */
export const MAX_BMP_OCTETS = 128 * 1024;

export type BmpFrame = {
  readonly kind: number;
  /** Behind the common header. */
  readonly body: Uint8Array;
};

export type BmpReader = {
  /** Messages that these octets complete, in order; after a fault nothing more is read. */
  take(octets: Uint8Array): { readonly frames: readonly BmpFrame[]; readonly fault: string };
};

/** Never throws. `fault` is empty where all is well; the connection that had one can't be read on (RFC 7854 §3.2). */
export function bmpReader(): BmpReader {
  let rest = new Uint8Array(0);
  let fault = "";
  return {
    take(octets) {
      if (fault !== "") return { frames: [], fault };
      const bytes = rest.length === 0 ? octets : joined(rest, octets);
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      const frames: BmpFrame[] = [];
      let at = 0;
      while (bytes.length - at >= COMMON_OCTETS) {
        const length = view.getUint32(at + 1);
        fault = headerFault(view.getUint8(at), length);
        if (fault !== "" || bytes.length - at < length) break;
        const kind = view.getUint8(at + COMMON_OCTETS - 1);
        frames.push({ kind, body: bytes.slice(at + COMMON_OCTETS, at + length) });
        at += length;
      }
      rest = fault === "" ? bytes.slice(at) : new Uint8Array(0);
      return { frames, fault };
    },
  };
}

function headerFault(version: number, length: number): string {
  if (version !== VERSION) return `BMP version ${version}, not ${VERSION}`;
  if (length < COMMON_OCTETS) return `a BMP message of ${length} octets`;
  return length > MAX_BMP_OCTETS ? `a BMP message of more than ${MAX_BMP_OCTETS} octets` : "";
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
