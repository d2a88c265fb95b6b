/**
 * A connection that a peer made, brought to the terms of one that we make, before its first octet leaves.
 *
 * The listener serves all neighbours, so that what belongs to one of them can only be set when it is known whose the connection is.
 * Reads next: dial.ts (the same for ours), session-driver.ts.
 */
import type { Socket } from "node:net";
import type { Family } from "../../../events/address.ts";
import { setTimeToLive } from "../../os/libc.ts";

/**
 * Hop limit of what we send (1–255). With 1 an external peer that is not on the link gets our acknowledgements as little as our
 * OPEN, so that a session over several hops is nobody's mistake (RFC 5082 §1; FRR does the same). Throws SystemError where the
 * connection is gone.
 */
export function limitHops(socket: Socket, family: Family, hops: number): void {
  const fd = descriptorOf(socket);
  if (fd !== undefined) setTimeToLive(fd, family, hops);
}

/** Node gives no public way to it. undefined: the socket is closed, or it is none of the kernel's. */
function descriptorOf(socket: Socket): number | undefined {
  const handle: unknown = Reflect.get(socket, "_handle");
  if (typeof handle !== "object" || handle === null) return undefined;
  const fd: unknown = Reflect.get(handle, "fd");
  return typeof fd === "number" && fd >= 0 ? fd : undefined;
}
