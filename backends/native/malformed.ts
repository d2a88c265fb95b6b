/**
 * What a peer's malformed UPDATEs are told as: the session stands (RFC 7606), so somebody has to say why routes are missing.
 *
 * Counts them and keeps the words of the last one for `rutter peers`; a log line at the first and then at each power of two,
 * so that a peer that sends nothing else fills no journal (RFC 7606 §8). Never judges: wire/update.ts did.
 */
import type { Logger } from "../clock.ts";
import type { Update } from "./wire/message.ts";

export type Malformed = {
  /** Looks at each UPDATE; most have no fault. */
  see(update: Update): void;
  /** One sentence on the last one of this session; empty where there was none. */
  words(): string;
  /** A new session. */
  forget(): void;
};

export function malformedOf(peer: string, logger: Logger): Malformed {
  let count = 0;
  let last = "";
  return {
    see({ faults, outcome }) {
      if (faults.length === 0) return;
      count += 1;
      const all = faults.map(({ reason, clause }) => `${reason} (${clause})`).join("; ");
      const done =
        outcome === "treat-as-withdraw"
          ? "its routes are treated as withdrawn"
          : "the attribute is ignored";
      last = `${count} malformed UPDATE${count === 1 ? "" : "s"}, the last: ${all}; ${done}`;
      if ((count & (count - 1)) === 0) logger.warn({ peer }, last);
    },
    words: () => last,
    forget: () => {
      count = 0;
      last = "";
    },
  };
}
