/**
 * Our nft table as the kernel has it: tells when anybody has changed it, how often, and a mark that is another after each change.
 *
 * By netlink, like all else that is heard of the kernel, and not by `nft monitor`, which would be a process more for as long as
 * there is any source NAT, to be kept alive and parsed. Rules are never read for what they say, so this needs no decoder of
 * expressions. Nor is it asked who made a change: who makes them counts his own.
 * Reads next: ../nat-keeping.ts (who asks), ../netlink/nftables.ts.
 */
import { createHash } from "node:crypto";
import { SystemError } from "../../os/libc.ts";
import type { Message } from "../netlink/codec.ts";
import {
  contentOf,
  isEndOfChange,
  isOfTable,
  NFT_MSG_GETCHAIN,
  NFT_MSG_GETRULE,
  NFT_MSG_GETTABLE,
  tableFilter,
} from "../netlink/nftables.ts";
import { NETLINK_NETFILTER, openNftNews, openOrders, type Orders } from "./socket.ts";

export type NftWatch = {
  /** Changes of the table that were heard of since it is watched, whoever made them: each whole change (transaction) is one. */
  changes(): number;
  /** Equal as long as nobody touches the table; "" where there is none. Rejects with NetlinkError while others change tables. */
  mark(): Promise<string>;
  close(): void;
};

/** `changed`: the table may not be what it was, by us or by others. A text: why the kernel tells nothing. */
export function openNftWatch(
  table: string,
  receiveOctets: number,
  changed: () => void,
): NftWatch | string {
  let stop = (): void => {};
  let isOurs = false;
  let changes = 0;
  try {
    const take = (message: Message): void => {
      if (isOfTable(message, table)) isOurs = true;
      if (!isOurs || !isEndOfChange(message)) return;
      isOurs = false;
      changes += 1;
      changed();
    };
    stop = openNftNews({ receiveOctets, take, lost: changed });
    const orders = openOrders(NETLINK_NETFILTER);
    return { ...watching(table, orders, stop), changes: () => changes };
  } catch (error) {
    stop();
    if (error instanceof SystemError) return error.message;
    throw error;
  }
}

function watching(table: string, orders: Orders, stop: () => void): Omit<NftWatch, "changes"> {
  const filter = tableFilter(table);
  return {
    async mark() {
      const hash = createHash("sha256");
      let count = 0;
      for (const type of [NFT_MSG_GETTABLE, NFT_MSG_GETCHAIN, NFT_MSG_GETRULE]) {
        await orders.dump(type, filter, (message) => {
          if (!isOfTable(message, table)) return;
          hash.update(contentOf(message));
          count += 1;
        });
      }
      return count === 0 ? "" : hash.digest("hex");
    },
    close() {
      stop();
      orders.close();
    },
  };
}
