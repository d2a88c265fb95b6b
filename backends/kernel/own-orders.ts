/**
 * Own entries as orders to the kernel, a portion at a time; each refusal gets words.
 *
 * Reads next: own-keeping.ts (who says which), io/nft.ts (source NAT).
 */
import { getSystemErrorName } from "node:util";
import type { OwnProblem } from "./facts.ts";
import { runNft } from "./io/nft.ts";
import type { Batch, Orders } from "./io/socket.ts";
import { EADDRNOTAVAIL, EEXIST, ENODEV, ENOENT, ESRCH } from "./netlink/numbers.ts";
import { nftProgram, type PlacedNat } from "./nft.ts";
import { enter, type Known, type OwnItem, orderOf } from "./own.ts";
import { sendAll } from "./pump.ts";

/** Gone already is as good as removed. */
const GONE: ReadonlySet<number> = new Set([ESRCH, ENOENT, EADDRNOTAVAIL, ENODEV]);

export const errnoName = (errno: number): string => {
  try {
    return getSystemErrorName(-errno);
  } catch {
    return `error ${errno}`;
  }
};

export type Refused = OwnProblem & { readonly item: OwnItem };

/** While no batch is out. Gives what was refused; rejects only with NetlinkError. */
export async function sendItems(
  known: Known,
  items: readonly OwnItem[],
  order: "add" | "remove",
  orders: Orders,
  batch: Batch,
): Promise<readonly Refused[]> {
  // Before the kernel does it, for its news of IPv6 addresses do not say whose doing they are.
  const undo = items.map((item) => enter(known, item, order === "add"));
  const messages = items.map((item) => orderOf(item, order));
  const refused: Refused[] = [];
  const failures = await sendAll(orders, batch, messages).catch((error: unknown) => {
    for (const one of undo) one();
    throw error;
  });
  for (const { index, errno, words } of failures) {
    if (order === "remove" && GONE.has(errno)) continue;
    undo[index]?.();
    const item = items[index];
    if (item !== undefined)
      refused.push({ entry: item.text, reason: reasonOf(errno, words), item });
  }
  return refused;
}

function reasonOf(errno: number, words: string): string {
  if (errno === EEXIST) return "something of another program is in its place";
  return words === "" ? errnoName(errno) : `${words} (${errnoName(errno)})`;
}

/** Replaces our nft table; nft's words, or undefined where it is in place. */
export async function applyNats(
  program: string,
  nats: readonly PlacedNat[],
): Promise<string | undefined> {
  const { ok, words } = await runNft(program, ["-j", "-f", "-"], nftProgram(nats));
  return ok ? undefined : words;
}
