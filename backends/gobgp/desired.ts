/**
 * What an intent asks of gobgpd as a whole, and whether two of them differ in routes alone.
 *
 * Pure. Reads next: reconcile.ts.
 */
import type { Address } from "../../events/address.ts";
import type { SpeakerIntent } from "../intent.ts";
import type { Global, ListedPeer } from "./api/messages.ts";
import type { Speaking } from "./render/speaking.ts";

export type ListenAt = { readonly address: Address; readonly port: number };

/** Addresses, or one word for all of them. */
export type TakeOver = "none" | "all" | readonly string[];

export const mayTakeOver = (takeOver: TakeOver, address: Address): boolean =>
  takeOver === "all" || (takeOver !== "none" && takeOver.includes(address));

/** gobgpd has one AS and one port: those of the first router and of the first place; other routers' ASes are their peers' local AS. */
export function globalFor(
  { routers }: SpeakerIntent,
  listen: readonly ListenAt[],
  hostRouterId: () => Address,
): Global | undefined {
  const [first] = routers;
  if (first === undefined) return undefined;
  return {
    asn: first.localAs,
    router_id: first.routerId ?? hostRouterId(),
    listen_port: listen[0]?.port ?? -1,
    listen_addresses: listen.map(({ address }) => address),
    use_multiple_paths: true,
  };
}

/** Neighbours, routers and secrets are as they were; the plan shares what is equal, so this is mostly one comparison. */
export const isRoutesOnly = (before: SpeakerIntent, after: SpeakerIntent): boolean =>
  before.routers.length === after.routers.length &&
  before.routers.every((old, index) => {
    const young = after.routers[index];
    return (
      young !== undefined &&
      old.key === young.key &&
      (old.neighbors === young.neighbors ||
        JSON.stringify(old.neighbors) === JSON.stringify(young.neighbors))
    );
  });

/**
 * True where gobgpd has neighbours already, perhaps with routes, that become ours only now: those of an agent before this one.
 * Its table was read without them, if it was read: nobody knew whose paths these are.
 */
export function hasUnheard(
  before: readonly Speaking[],
  now: readonly Speaking[],
  listed: readonly ListedPeer[],
): boolean {
  const known = new Set(before.map(({ address }) => address));
  const there = new Set(listed.map(({ conf }) => conf?.neighbor_address));
  return now.some(({ address }) => there.has(address) && !known.has(address));
}
