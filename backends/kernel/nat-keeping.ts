/**
 * Keeps our nft table as the intent has it, and knows when somebody else changed it.
 *
 * Replaced whole where what is wanted differs, and where others changed it: more changes were heard of than we made, or, where
 * the kernel's news were lost, its mark is not the one that we left. The kernel is heard only while there is any source NAT: an
 * idle agent costs nothing. One call at a time.
 * Reads next: nft.ts (the table), io/nft-watch.ts (the mark), own-keeping.ts (who calls).
 */
import type { Clock, Logger } from "../clock.ts";
import type { Announcements } from "./announcements.ts";
import type { KernelCapabilities, OwnProblem } from "./facts.ts";
import type { KernelIntent } from "./intent.ts";
import { type NftWatch, openNftWatch } from "./io/nft-watch.ts";
import { NetlinkError } from "./io/socket.ts";
import type { Model } from "./model.ts";
import { NFT_TABLE, type PlacedNat, placedNats } from "./nft.ts";
import { applyNats } from "./own-orders.ts";

const ENTRY = "source NAT (nft table inet rutter)";
/** A change of a rule set comes as many messages. */
const GATHER_MILLIS = 30;
/** Looks are this far apart at least: another program that undoes ours each time is no reason to do nothing else. */
const GAP_MILLIS = 1000;

export type NatParts = {
  readonly clock: Clock;
  readonly model: Model;
  readonly tell: Pick<Announcements, "drift">;
  readonly capabilities: KernelCapabilities;
  readonly nft: string;
  readonly logger: Logger;
  /** Of the socket that hears of nftables. */
  readonly receiveOctets: number;
  /** What is done where somebody changes what is ours. */
  readonly drift: "repair" | "report";
  /** The table is to be looked at: look(), when no other call runs. */
  readonly touched: () => void;
};

export type NatKeeping = {
  /** Resolves to what hinders, or undefined where it is in place. `isNew`: what it stands on may not be what it was. */
  keep(nats: KernelIntent["sourceNats"], isNew: boolean): Promise<OwnProblem | undefined>;
  /** Whether others changed it since: puts it right or only tells. Resolves to what hinders, as keep(). */
  look(): Promise<OwnProblem | undefined>;
  /** Takes the table away. */
  clear(): Promise<void>;
  stop(): void;
};

export function createNatKeeping(parts: NatParts): NatKeeping {
  const { clock, model, tell, capabilities, nft } = parts;
  const able = capabilities.has.has("nft");
  let wanted: KernelIntent["sourceNats"] | undefined;
  let list: readonly PlacedNat[] = [];
  /** What is in place by our own hand, as text; undefined: of an earlier run, or not known. */
  let placed: string | undefined = able ? undefined : "[]";
  let problem: OwnProblem | undefined;
  let watch: NftWatch | undefined;
  /** Of the table as we left it; undefined where it could not be read. */
  let mark: string | undefined;
  /** Changes of ours since the table is watched. */
  let ours = 0;
  /** Its mark is another though nobody was heard: who did it may be heard yet, or was lost. */
  let suspected = false;
  let lastLook = Number.NEGATIVE_INFINITY;
  let cancelLook: (() => void) | undefined;

  const lookSoon = (): void => {
    const wait = Math.max(GATHER_MILLIS, lastLook + GAP_MILLIS - clock.monotonicMillis());
    cancelLook ??= clock.after(wait, () => {
      cancelLook = undefined;
      parts.touched();
    });
  };
  const stop = (): void => {
    cancelLook?.();
    cancelLook = undefined;
    watch?.close();
    watch = undefined;
  };
  const hear = (): void => {
    if (watch !== undefined) return;
    const opened = openNftWatch(NFT_TABLE.name, parts.receiveOctets, lookSoon);
    if (typeof opened === "string") {
      parts.logger.warn({ problem: opened }, "changes of our nft table by others are not heard");
    } else watch = opened;
    ours = 0;
  };
  /** While others change tables it is not known; they are heard, so it is looked at again. */
  const marked = async (): Promise<string | undefined> => {
    try {
      return await watch?.mark();
    } catch (error) {
      if (!(error instanceof NetlinkError)) throw error;
      if (error.code === "DUMP_INTERRUPTED") lookSoon();
      return undefined;
    }
  };
  const put = async (text: string): Promise<void> => {
    if (list.length > 0) hear();
    else stop();
    mark = undefined;
    const lacking = capabilities.missing.get("nft");
    const words = lacking ?? (await applyNats(nft, list));
    problem = words === undefined ? undefined : { entry: ENTRY, reason: words };
    placed = problem === undefined ? text : undefined;
    if (problem !== undefined) return;
    ours += 1;
    mark = await marked();
  };

  return {
    async keep(nats, isNew) {
      if (nats === wanted && !isNew && problem === undefined) return undefined;
      wanted = nats;
      list = placedNats(model.host, nats.values());
      const text = JSON.stringify(list);
      problem = undefined;
      if (text !== placed) await put(text);
      return problem;
    },
    async look() {
      if (watch === undefined || placed === undefined) return problem;
      lastLook = clock.monotonicMillis();
      const seen = await marked();
      if (seen === undefined) return problem;
      const heard = watch.changes();
      const differs = mark === undefined ? seen === "" : seen !== mark;
      if (heard <= ours && differs && !suspected) {
        suspected = true;
        lookSoon();
        return problem;
      }
      suspected = false;
      mark = seen;
      if (heard <= ours && !differs) return problem;
      ours = heard;
      tell.drift("nat", `nft table inet ${NFT_TABLE.name}`, parts.drift);
      if (parts.drift === "repair") await put(placed);
      return problem;
    },
    async clear() {
      stop();
      if (placed !== "[]" && able) await applyNats(nft, []);
    },
    stop,
  };
}
