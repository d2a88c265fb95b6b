/**
 * Looks now and then whether a bfdd runs that is not to: where the BFD engine keeps the sessions, bfdd has its UDP ports.
 *
 * Asks, and never stops anything. Reads next: ../open-frr.ts.
 */
import { BackendError } from "../../backend.ts";
import type { Clock } from "../../clock.ts";
import type { DaemonStatus } from "../../daemons.ts";
import type { Asks } from "./daemon.ts";

export type InTheWay = {
  /** Empty where nobody is. */
  all(): readonly DaemonStatus[];
  close(): void;
};

const LOOK_MILLIS = 10_000;

/** `wasThere`: whether it answered before this was opened. */
export function watchBfddInTheWay(
  bfdd: Asks,
  clock: Pick<Clock, "monotonicMillis" | "after">,
  wasThere: boolean,
): InTheWay {
  let since = wasThere ? clock.monotonicMillis() : undefined;
  let closed = false;
  const look = async (): Promise<void> => {
    try {
      await bfdd.show("show version");
      since ??= clock.monotonicMillis();
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      since = undefined;
    }
    if (!closed) cancel = clock.after(LOOK_MILLIS, () => void look());
  };
  let cancel = clock.after(LOOK_MILLIS, () => void look());
  return {
    all: () =>
      since === undefined
        ? []
        : [
            {
              daemon: "bfdd",
              state: "in-the-way",
              sinceMillis: since,
              reason: "frr.bfd is engine, and bfdd runs: it has BFD's UDP ports",
              fix: "bfdd=no in /etc/frr/daemons and stop it, or frr.bfd: bfdd in agent.yaml",
            },
          ],
    close() {
      closed = true;
      cancel();
    },
  };
}
