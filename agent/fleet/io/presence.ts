/**
 * Whether a connection is there, since when and why not, and who wants to hear of it.
 *
 * Knows no client and makes no connection. Reads next: nats.ts.
 */
import type { Clock, Logger } from "../../../backends/clock.ts";
import { type ConnectionState, type FleetConnection, FleetError } from "./connection.ts";

export type Presence = Pick<FleetConnection, "state" | "onState" | "connected"> & {
  /** Tells all listeners; what is new of it is logged. */
  become(connected: boolean, reason: string): void;
};

export function presence(clock: Clock, logger: Pick<Logger, "info">): Presence {
  let state: ConnectionState = {
    connected: false,
    sinceMillis: clock.monotonicMillis(),
    reason: "not connected yet",
  };
  const listeners = new Set<(state: ConnectionState) => void>();
  const onState = (listener: (state: ConnectionState) => void): (() => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  return {
    state: () => state,
    onState,
    become(connected, reason) {
      const isNews = connected !== state.connected;
      if (isNews || reason !== state.reason) logger.info({ connected, reason }, "fleet connection");
      state = {
        connected,
        sinceMillis: isNews ? clock.monotonicMillis() : state.sinceMillis,
        reason,
      };
      for (const listener of listeners) listener(state);
    },
    connected: (signal) =>
      new Promise((resolve, reject) => {
        const aborted = (): void => {
          stop();
          reject(new FleetError("FLEET_NOT_CONNECTED", state.reason));
        };
        const stop = onState((now) => {
          if (!now.connected) return;
          stop();
          signal?.removeEventListener("abort", aborted);
          resolve();
        });
        if (signal?.aborted === true) aborted();
        else if (state.connected) {
          stop();
          resolve();
        } else signal?.addEventListener("abort", aborted, { once: true });
      }),
  };
}
