/**
 * Whose a path is: from what bgpd prints to the neighbour that the intent has.
 *
 * Pure. Tables without detail name an interface neighbour by its link-local address only, which another interface may have as well;
 * then only a detailed table tells, and isAmbiguous() says so. Reads next: tables.ts.
 */
import { neighborKey, type NeighborKey } from "../../../events/ids.ts";
import { peerNameOf, type PeerName, vrfFromFrr } from "./names.ts";
import type { SessionWatch } from "./session-watch.ts";
import type { TablePath } from "./tables.ts";

export type Sayer = {
  readonly key: NeighborKey;
  readonly name: PeerName;
  readonly vrf: string;
  /** Where it is an interface neighbour: its device, and the address that it was found at. */
  readonly device: string;
  readonly address: string | undefined;
};

export type Sayers = {
  readonly byName: ReadonlyMap<PeerName, Sayer>;
  readonly isAmbiguous: boolean;
};

export function sayersOf(all: Iterable<Sayer>): Sayers {
  const byName = new Map<PeerName, Sayer>();
  let isAmbiguous = false;
  for (const one of all) {
    byName.set(one.name, one);
    if (one.address === undefined) continue;
    const found = peerNameOf(one.vrf, one.address);
    isAmbiguous = isAmbiguous || byName.has(found);
    byName.set(found, one);
  }
  return { byName, isAmbiguous };
}

/** The neighbours of the intent. */
export const sayersIn = ({ watched, record }: Pick<SessionWatch, "watched" | "record">): Sayers =>
  sayersOf(
    [...watched().values()].map(({ intent: { key, remote }, vrf, name }) => ({
      key,
      vrf,
      name,
      device: remote.type === "interface" ? remote.interface : "",
      address: remote.type === "interface" ? record(key)?.detail?.remoteAddress : undefined,
    })),
  );

/** A neighbour that the intent does not have gets the key that it would have. */
export function whoSaid(
  { byName }: Sayers,
  vrf: string,
  path: Pick<TablePath, "peer" | "interface" | "leakedFrom">,
): { readonly neighbor: NeighborKey; readonly device: string } {
  const from = path.leakedFrom === "" ? vrf : vrfFromFrr(path.leakedFrom);
  const name = path.interface === "" ? path.peer : path.interface;
  const sayer = byName.get(peerNameOf(from, name)) ?? byName.get(peerNameOf(from, path.peer));
  return sayer === undefined
    ? { neighbor: neighborKey(from, name, ""), device: path.interface }
    : { neighbor: sayer.key, device: sayer.device };
}
