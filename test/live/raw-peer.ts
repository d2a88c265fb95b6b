/**
 * A peer made of octets: what a hostile or broken router sends, and what our agent answers.
 *
 * It waits for the agent's connection and then does only what the test says. Messages are built here by hand and not by
 * our codec, so that a fault of the codec cannot hide in both.
 * Read next: bridge.ts (how it gets into the namespace), hostile.live.test.ts.
 */
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import type { Node } from "./netns.ts";
import { until } from "./until.ts";

export type Received = { readonly type: number; readonly body: Buffer };

/** One connection that the agent made. */
export type Wire = {
  send(...messages: readonly Uint8Array[]): void;
  end(): void;
  /** Where the agent connected to, once that is known. */
  readonly address: () => string | undefined;
  /** Whole messages so far. */
  readonly messages: () => readonly Received[];
  readonly closed: () => boolean;
  /** Waits for a message of a type and gives the first of it. */
  await(type: number): Promise<Received>;
};

export type RawPeer = AsyncDisposable & {
  /** Waits for connection number `index`, counted from 0, that the agent made to one of the node's addresses. */
  connection(address: string, index: number): Promise<Wire>;
};

export const TYPE = { open: 1, update: 2, notification: 3, keepalive: 4 } as const;
const HEADER = 19;
/** The agent's own pauses between two tries grow to half a minute. */
const PATIENCE_MS = 60_000;

const u16 = (value: number): number[] => [value >> 8, value & 255];
const u32 = (value: number): number[] => [...u16(value >>> 16), ...u16(value & 0xffff)];

/** RFC 4271 §4.1; `length` where it shall be a lie. */
export const message = (
  type: number,
  body: readonly number[] = [],
  length = HEADER + body.length,
): Uint8Array => Uint8Array.from([...Array(16).fill(255), ...u16(length), type, ...body]);

export type OpenPlan = {
  readonly asn: number;
  readonly holdTime?: number;
  readonly version?: number;
};

/** With IPv4 unicast and four-octet AS numbers (RFC 5492, 4760, 6793). */
export function open({ asn, holdTime = 90, version = 4 }: OpenPlan): Uint8Array {
  const capabilities = [1, 4, 0, 1, 0, 1, 65, 4, ...u32(asn)];
  const parameter = [2, capabilities.length, ...capabilities];
  const fixed = [version, ...u16(asn), ...u16(holdTime), 192, 0, 2, 77];
  return message(TYPE.open, [...fixed, parameter.length, ...parameter]);
}

export const keepalive = (): Uint8Array => message(TYPE.keepalive);

/** RFC 4271 §4.3. `prefixes` as octets on the wire; `attributesLength` where it shall be a lie. */
export function update(
  attributes: readonly number[],
  prefixes: readonly number[],
  attributesLength = attributes.length,
): Uint8Array {
  return message(TYPE.update, [0, 0, ...u16(attributesLength), ...attributes, ...prefixes]);
}

/** ORIGIN, AS_PATH of one AS, NEXT_HOP. */
export const attributes = (asn: number, nextHop: string, origin = 0): number[] =>
  [
    [0x40, 1, 1, origin],
    [0x40, 2, 6, 2, 1, ...u32(asn)],
    [0x40, 3, 4, ...nextHop.split(".").map(Number)],
  ].flat();

function split(octets: Buffer): { readonly whole: Received[]; readonly rest: Buffer } {
  const whole: Received[] = [];
  let at = 0;
  while (octets.length - at >= HEADER) {
    const length = octets.readUInt16BE(at + 16);
    if (octets.length - at < length) break;
    const body = octets.subarray(at + HEADER, at + length);
    whole.push({ type: octets.readUInt8(at + 18), body });
    at += length;
  }
  return { whole, rest: octets.subarray(at) };
}

function wireOf(socket: Socket): Wire {
  const messages: Received[] = [];
  let rest = Buffer.alloc(0);
  let address: string | undefined;
  let closed = false;
  socket.on("data", (octets: Buffer) => {
    rest = Buffer.concat([rest, octets]);
    if (address === undefined) {
      const end = rest.indexOf("\n");
      if (end < 0) return;
      address = rest.toString("latin1", 0, end);
      rest = rest.subarray(end + 1);
    }
    const read = split(rest);
    messages.push(...read.whole);
    rest = Buffer.from(read.rest);
  });
  socket.on("error", () => undefined);
  socket.on("close", () => {
    closed = true;
  });
  return {
    send: (...all) => {
      for (const one of all) socket.write(one);
    },
    end: () => {
      socket.end();
    },
    address: () => address,
    messages: () => messages,
    closed: () => closed,
    await: (type) =>
      until(() => messages.find((one) => one.type === type), {
        what: `a message of type ${type}`,
        timeoutMs: PATIENCE_MS,
        explain: () => `closed: ${closed}; came: ${messages.map((one) => one.type).join(" ")}`,
      }),
  };
}

/** Listens on port 179 of a node. */
export async function startRawPeer(node: Node): Promise<RawPeer> {
  const wires: Wire[] = [];
  const path = join(node.directory, "wire.sock");
  const server = createServer((socket) => void wires.push(wireOf(socket)));
  server.listen(path);
  await once(server, "listening");
  const program = join(import.meta.dirname, "bridge.ts");
  const bridge = await node.start([process.execPath, program, path]);
  await until(() => bridge.stdout().includes("listening"), {
    what: `the bridge in ${node.name}`,
    explain: bridge.stderr,
  });
  return {
    connection: (address, index) =>
      until(() => wires.filter((wire) => wire.address() === address)[index], {
        what: `connection ${index} to ${address}`,
        timeoutMs: PATIENCE_MS,
      }),
    [Symbol.asyncDispose]: async () => {
      await bridge.stop("SIGKILL");
      server.close();
    },
  };
}
