/**
 * Reads the kernel's tables of sockets of this network namespace.
 *
 * Synchronous on purpose: /proc is memory, and a look waits for no disk. It costs what the kernel's hash
 * tables cost to walk, also where they are empty: 4 ms a TCP table were measured on a machine with large ones. Never reads
 * the connections behind the listeners, of which there may be a hundred thousand. Reads next: listeners.ts.
 */
import { closeSync, openSync, readSync } from "node:fs";
import { endianness } from "node:os";
import type { Address } from "../../events/address.ts";
import { errorCode } from "../errno.ts";
import {
  addListeners,
  isPastListeners,
  type Listeners,
  type PortKey,
  type Table,
} from "./listeners.ts";

/** `tables` are the ones that some check needs. A table that the kernel lacks (IPv6 off) is an empty one. */
export type ReadListeners = (tables: readonly Table[]) => Listeners;

/** Asks the kernel where it answers (sock_diag), for a fraction of the cost, and reads its tables where it does not. */
export const askedFirst =
  (
    ask: (protocols: ReadonlySet<"TCP" | "UDP">) => Listeners | undefined,
    read: ReadListeners,
  ): ReadListeners =>
  (tables) =>
    ask(new Set(tables.map((table) => (table.startsWith("tcp") ? "TCP" : "UDP")))) ?? read(tables);

const CHUNK_OCTETS = 64 * 1024;
/** 64 MiB of a table are some 400,000 sockets: past that a host has other troubles, and the look would cost a second. */
const MAX_CHUNKS = 1024;

/** Throws what the file system throws, but for a table that is not there. `directory` is another one in tests only. */
export const readListeners =
  (directory = "/proc/net"): ReadListeners =>
  (tables) => {
    const into = new Map<PortKey, Set<Address>>();
    for (const table of tables) {
      addListeners(into, table, readTable(`${directory}/${table}`, table), endianness() === "LE");
    }
    return into;
  };

function readTable(path: string, table: Table): string {
  const file = openTable(path);
  if (file === undefined) return "";
  try {
    const chunk = Buffer.alloc(CHUNK_OCTETS);
    let text = "";
    for (let chunks = 0; chunks < MAX_CHUNKS; chunks += 1) {
      const length = readSync(file, chunk);
      if (length === 0) break;
      text += chunk.toString("latin1", 0, length);
      if (table.startsWith("tcp") && isPastListeners(lastWholeLine(text))) break;
    }
    return text;
  } finally {
    closeSync(file);
  }
}

function openTable(path: string): number | undefined {
  try {
    return openSync(path, "r");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

function lastWholeLine(text: string): string {
  const end = text.lastIndexOf("\n");
  return text.slice(text.lastIndexOf("\n", end - 1) + 1, end);
}
