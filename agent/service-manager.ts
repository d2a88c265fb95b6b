/**
 * What systemd is told of a process of ours (sd_notify(3)): that it serves, that it lives, that it reloads, that it stops.
 *
 * Where nobody listens (a shell, a test) nothing is sent. A message that does not arrive is no fault: it is about this process
 * and not of it. Reads next: ../systemd/rutter.service.
 */
import { type Clock, type Logger, systemClock } from "../backends/clock.ts";
import { sendDatagram } from "../backends/os/datagram.ts";

export type ServiceManager = {
  /** It serves; from now on it is watched where the unit asks for that. */
  ready(status: string): void;
  /** It takes its configuration anew; ready() ends it. */
  reloading(): void;
  stopping(): void;
};

type Parts = {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly send?: (path: string, text: string) => void;
};

/** Signs of life within the time after which systemd takes the process for dead: two may be late. */
const SIGNS = 3;

/**
 * `env`: what systemd set for this process: NOTIFY_SOCKET, and WATCHDOG_USEC with WATCHDOG_PID where the unit has WatchdogSec.
 * A sign of life passes through the loop's timers and its events of the kernel: a main loop that stands still sends none.
 */
export function serviceManager(
  env: Readonly<Record<string, string | undefined>>,
  { clock, logger, send = sendDatagram }: Parts,
): ServiceManager {
  const socket = env["NOTIFY_SOCKET"];
  let cancel: (() => void) | undefined;
  const say = (...lines: readonly string[]): void => {
    if (socket === undefined) return;
    try {
      send(socket, lines.join("\n"));
    } catch (error) {
      logger.warn({ error: String(error) }, "systemd could not be told");
    }
  };
  const everyMillis = watchdogMillis(env);
  const live = (): void => {
    cancel = clock.after(everyMillis, () => {
      setImmediate(() => {
        say("WATCHDOG=1");
        if (cancel !== undefined) live();
      });
    });
  };
  return {
    ready(status) {
      say("READY=1", `STATUS=${status}`);
      if (cancel === undefined && everyMillis > 0) live();
    },
    reloading: () => say("RELOADING=1", `MONOTONIC_USEC=${monotonicMicros()}`, "STATUS=reloading"),
    stopping() {
      cancel?.();
      cancel = undefined;
      say("STOPPING=1", "STATUS=stopping");
    },
  };
}

const monotonicMicros = (): bigint => process.hrtime.bigint() / 1000n;

/** Milliseconds between two signs of life; 0: nobody watches this process. */
function watchdogMillis(env: Readonly<Record<string, string | undefined>>): number {
  const pid = env["WATCHDOG_PID"];
  const micros = Number(env["WATCHDOG_USEC"] ?? 0);
  const isOurs = pid === undefined || pid === String(process.pid);
  return isOurs && Number.isFinite(micros) ? Math.floor(micros / 1000 / SIGNS) : 0;
}

/** Of the process that asks. */
export const thisService = (logger: Logger): ServiceManager =>
  serviceManager(process.env, { clock: systemClock, logger });
