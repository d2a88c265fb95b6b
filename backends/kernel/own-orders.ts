/**
 * Makes own entries so: the difference between what is wanted and what is there goes to the kernel, and each refusal gets words.
 *
 * Reads next: own.ts (the difference), io/nft.ts (source NAT).
 */
import { getSystemErrorName } from "node:util";
import type { Address } from "../../events/address.ts";
import type { OwnChange, OwnProblem } from "./facts.ts";
import type { KernelIntent } from "./intent.ts";
import { runNft } from "./io/nft.ts";
import type { Batch, Orders } from "./io/socket.ts";
import type { Model } from "./model.ts";
import { EADDRNOTAVAIL, EEXIST, ENODEV, ENOENT, ESRCH } from "./netlink/numbers.ts";
import { nftProgram, type PlacedNat } from "./nft.ts";
import { differenceOf, presentItems, wantedItems } from "./own.ts";
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

/** While no batch is out. Rejects only with NetlinkError. */
export async function applyOwn(
  model: Model,
  intent: KernelIntent,
  orders: Orders,
  batch: Batch,
): Promise<OwnChange> {
  const { host, own } = model;
  const isOurs = (address: Address, device: string): boolean => model.isOurs(address, device);
  const { items, problems } = wantedItems(intent, host, isOurs);
  const { add, remove } = differenceOf(items, presentItems(host, own, isOurs));
  const messages = [...add.map((item) => item.add()), ...remove.map((item) => item.remove())];
  const failures = await sendAll(orders, batch, messages);
  const refused = new Map(failures.map((failure) => [failure.index, failure]));
  const failed: OwnProblem[] = [...problems];
  const added: string[] = [];
  const removed: string[] = [];
  for (const [index, item] of [...add, ...remove].entries()) {
    const failure = refused.get(index);
    const adding = index < add.length;
    if (failure !== undefined && !(!adding && GONE.has(failure.errno))) {
      failed.push({ entry: item.text, reason: reasonOf(failure.errno, failure.words) });
      continue;
    }
    (adding ? added : removed).push(item.text);
    item.enter(host, own, adding);
  }
  return { added, removed, failed };
}

function reasonOf(errno: number, words: string): string {
  if (errno === EEXIST) return "something of another program is in its place";
  return words === "" ? errnoName(errno) : `${words} (${errnoName(errno)})`;
}

/** Replaces our nft table; the problem, or undefined where it is in place. */
export async function applyNats(
  program: string,
  nats: readonly PlacedNat[],
): Promise<OwnProblem | undefined> {
  const { ok, words } = await runNft(program, ["-j", "-f", "-"], nftProgram(nats));
  return ok ? undefined : { entry: "source NAT (nft table inet rutter)", reason: words };
}
