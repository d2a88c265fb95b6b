/**
 * What an attempt to connect reads of its configuration: files of keys, each time anew, and the host behind a server's address.
 */
import { readFileSync } from "node:fs";
import { errorCode } from "../../errno.ts";
import { FleetError } from "./connection.ts";

/** Throws FleetError where it cannot be read. */
export function octetsIn(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    const code = errorCode(error);
    if (code === "") throw error;
    throw new FleetError("FLEET_REFUSED", `${path} cannot be read: ${code}`, { cause: error });
  }
}

/** A seed without the spaces around it. Throws FleetError. */
export const seedIn = (path: string): Uint8Array =>
  new TextEncoder().encode(new TextDecoder().decode(octetsIn(path)).trim());

/** Name or address in `nats://host:port`, an IPv6 address without brackets. */
export const hostOf = (server: string): string =>
  new URL(server).hostname.replace(/^\[(.*)\]$/, "$1");
