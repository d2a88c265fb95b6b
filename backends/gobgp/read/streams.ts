/**
 * Packets of peers → the BGP messages in them, of which the newest are kept: what a gobgpd that crashes had just been sent.
 *
 * Pure and total, and no TCP: a stream that is joined in its middle, or that has a gap, is taken up again at the next marker (sixteen
 * octets of ones, RFC 4271 §4.1); behind a bad header it is over. KEEPALIVEs are left out. Reads next: crash.ts (which message it was), ../io/capture.ts.
 *
 *     IPv4 (RFC 791 §3.1) or IPv6 (RFC 8200 §3) without extension headers │ TCP (RFC 9293 §3.1) │ octets of the stream
 */
import { type Address, addressFromOctets } from "../../../events/address.ts";

export type Heard = {
  readonly from: Address;
  /** A whole message, with its header. */
  readonly octets: Uint8Array;
};

export type Streams = {
  /** A packet from its network header on. What is none of TCP says nothing. */
  take(packet: Uint8Array): void;
  /** Oldest first, and forgotten then: what one gobgpd was sent is nothing to the next. */
  drain(): readonly Heard[];
};

const TCP = 6;
const SYN = 0x02;
const RST = 0x04;
const FIN = 0x01;
const MARKER = 16;
const HEADER = 19;
const KEEPALIVE = 4;
/** What gobgpd takes (RFC 4271 §4.1), and what is no length. */
const MOST_OCTETS = 4096;
/** Of messages kept: what a peer may have sent behind the one that mattered, before gobgpd came to it. */
const KEPT_OCTETS = 1 << 20;
/** Of one stream: what waits for a missing packet. Then the gap is given up. */
const WAITING_OCTETS = 1 << 18;
const MOST_STREAMS = 4096;

type Segment = {
  readonly from: Address;
  readonly key: string;
  readonly sequence: number;
  readonly flags: number;
  readonly octets: Uint8Array;
};

type Stream = {
  /** Sequence number of the first octet that is not in `rest` yet. */
  next: number;
  rest: Uint8Array;
  /** False where the beginning of a message is still to be found. */
  aligned: boolean;
  waiting: Map<number, Uint8Array>;
  /** There was something in it that is no message. */
  isOver: boolean;
};

export function createStreams(): Streams {
  const streams = new Map<string, Stream>();
  /** Whole messages in a row, as they came together: cut only where somebody asks. */
  let kept: Heard[] = [];
  let keptOctets = 0;

  const keep = (from: Address, octets: Uint8Array): void => {
    kept.push({ from, octets });
    keptOctets += octets.length;
    if (keptOctets < 2 * KEPT_OCTETS) return;
    let drop = 0;
    while (keptOctets > KEPT_OCTETS) keptOctets -= kept[drop++]?.octets.length ?? 0;
    kept = kept.slice(drop);
  };

  const read = (from: Address, stream: Stream): void => {
    const { rest } = stream;
    let at = 0;
    if (!stream.aligned) {
      at = markerIn(rest);
      if (at < 0) {
        stream.rest = rest.slice(Math.max(0, rest.length - MARKER));
        return;
      }
      stream.aligned = true;
    }
    const first = at;
    while (rest.length - at >= HEADER) {
      const length = u16(rest, at + MARKER);
      if (!isMarker(rest, at) || length < HEADER || length > MOST_OCTETS) {
        // No message: a bad header may be what a crash is about, and behind it nothing is read.
        keep(from, rest.slice(first, at + MOST_OCTETS));
        stream.isOver = true;
        stream.rest = NOTHING;
        return;
      }
      if (rest.length - at < length) break;
      at += length;
    }
    if (at > first) keep(from, rest.slice(first, at));
    stream.rest = rest.slice(at);
  };

  const append = ({ from, sequence, octets }: Segment, stream: Stream): void => {
    stream.waiting.set(sequence, octets);
    let progress = true;
    while (progress) {
      progress = false;
      for (const [at, part] of stream.waiting) {
        const behind = distance(at, stream.next);
        if (behind > 0) continue;
        stream.waiting.delete(at);
        if (part.length <= -behind) continue;
        stream.rest = joined(stream.rest, part.subarray(-behind));
        stream.next = (at + part.length) >>> 0;
        progress = true;
      }
    }
    read(from, stream);
    if (sizeOf(stream.waiting) <= WAITING_OCTETS) return;
    const [first = stream.next] = [...stream.waiting.keys()].toSorted(
      (a, b) => distance(a, stream.next) - distance(b, stream.next),
    );
    Object.assign(stream, { next: first, rest: NOTHING, aligned: false });
  };

  return {
    take(packet) {
      const segment = segmentOf(packet);
      if (segment === undefined) return;
      const { key, sequence, flags, octets } = segment;
      if ((flags & SYN) !== 0) {
        const next = (sequence + 1) >>> 0;
        streams.set(key, streamFrom(next, true));
        return;
      }
      if (octets.length > 0) {
        const stream = streams.get(key) ?? streamFrom(sequence, false);
        streams.set(key, stream);
        if (!stream.isOver) append(segment, stream);
      }
      if ((flags & (FIN | RST)) !== 0) streams.delete(key);
      const [oldest] = streams.keys();
      if (streams.size > MOST_STREAMS && oldest !== undefined) streams.delete(oldest);
    },
    drain() {
      const all = kept.flatMap(({ from, octets }) =>
        messagesIn(octets).map((one) => ({ from, octets: one })),
      );
      kept = [];
      keptOctets = 0;
      return all;
    },
  };
}

const NOTHING = new Uint8Array();

const streamFrom = (next: number, aligned: boolean): Stream => ({
  next,
  rest: NOTHING,
  aligned,
  waiting: new Map(),
  isOver: false,
});

function segmentOf(packet: Uint8Array): Segment | undefined {
  const version = (packet[0] ?? 0) >> 4;
  const isSix = version === 6;
  if (packet.length < (isSix ? 40 : 20) || (!isSix && version !== 4)) return undefined;
  if (packet[isSix ? 6 : 9] !== TCP) return undefined;
  const at = isSix ? 40 : 4 * ((packet[0] ?? 0) & 15);
  // Total length, or payload length; 0 where the packet was put together of many (BIG TCP).
  const said = isSix ? 40 + u16(packet, 4) : u16(packet, 2);
  const end = said <= at ? packet.length : Math.min(packet.length, said);
  if (at < (isSix ? 40 : 20) || end < at + 20) return undefined;
  const data = at + 4 * ((packet[at + 12] ?? 0) >> 4);
  if (data < at + 20 || data > end) return undefined;
  const from = addressFromOctets(packet.slice(...(isSix ? [8, 24] : [12, 16])));
  const to = addressFromOctets(packet.slice(...(isSix ? [24, 40] : [16, 20])));
  return {
    from,
    key: `${from} ${u16(packet, at)} ${to} ${u16(packet, at + 2)}`,
    sequence: ((u16(packet, at + 4) << 16) | u16(packet, at + 6)) >>> 0,
    flags: packet[at + 13] ?? 0,
    octets: packet.slice(data, end),
  };
}

const u16 = (octets: Uint8Array, at: number): number =>
  ((octets[at] ?? 0) << 8) | (octets[at + 1] ?? 0);

/** How far `a` is behind `b` in the ring of sequence numbers (RFC 9293 §3.4). */
const distance = (a: number, b: number): number => (a - b) | 0;

function isMarker(octets: Uint8Array, at: number): boolean {
  for (let one = at; one < at + MARKER; one += 1) if (octets[one] !== 0xff) return false;
  return true;
}

/** The last one may be none, and is what is left. */
function messagesIn(octets: Uint8Array): readonly Uint8Array[] {
  const messages: Uint8Array[] = [];
  for (let at = 0; at < octets.length;) {
    const length = u16(octets, at + MARKER);
    const isWhole = isMarker(octets, at) && length >= HEADER && length <= MOST_OCTETS;
    const end = isWhole ? at + length : octets.length;
    if (octets[at + HEADER - 1] !== KEEPALIVE || !isWhole) messages.push(octets.subarray(at, end));
    at = end;
  }
  return messages;
}

function markerIn(octets: Uint8Array): number {
  let run = 0;
  for (const [at, octet] of octets.entries()) {
    run = octet === 0xff ? run + 1 : 0;
    if (run === MARKER) return at + 1 - MARKER;
  }
  return -1;
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

const sizeOf = (parts: ReadonlyMap<number, Uint8Array>): number => {
  let octets = 0;
  for (const part of parts.values()) octets += part.length;
  return octets;
};
