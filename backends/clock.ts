/**
 * Time, chance and the logger as arguments: shells are handed these, tests hand in their own.
 *
 * Never imported by pure code, which gets points in time as inputs. Protocol timers run on the monotonic clock only.
 */
export interface Clock {
  /** CLOCK_MONOTONIC, milliseconds with fraction. */
  monotonicMillis(): number;
  /** Calls back once after that many milliseconds; the returned function cancels it. */
  after(millis: number, act: () => void): () => void;
  /** Uniform in [0, 1): jitter and nothing that must be hard to guess. */
  random(): number;
}

export const systemClock: Clock = {
  monotonicMillis: () => performance.now(),
  after(millis, act) {
    const timer = setTimeout(act, millis);
    return () => clearTimeout(timer);
  },
  random: () => Math.random(),
};

/** Three methods of pino's, so that pino has one door (agent/logger.ts). */
export interface Logger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
