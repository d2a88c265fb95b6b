/**
 * Follows keys of a bucket for ever: after each break everything is told again, so that who listens need remember nothing.
 *
 * Never ends by itself: a bucket that is not there yet is looked for again. Reads next: connection.ts.
 */
import type { Clock } from "../../../backends/clock.ts";
import { backoffMillis, pause } from "./backoff.ts";
import { type FleetConnection, FleetError, type Reading } from "./connection.ts";

export type BucketWatch = {
  readonly bucket: string;
  /** The pull consumer's name, as of a Reading. */
  readonly consumer: string;
  /** A key, `*` for a whole token. */
  readonly filter: string;
  /** Every key that matches, and every change of one. undefined: it was deleted. */
  readonly onEntry: (key: string, value: Uint8Array | undefined) => void;
};

/** The returned function ends it. */
export function watchBucket(
  connection: Pick<FleetConnection, "connected" | "read">,
  clock: Clock,
  { bucket, consumer, filter, onEntry }: BucketWatch,
): () => void {
  const ended = new AbortController();
  const { signal } = ended;
  const prefix = `$KV.${bucket}.`;
  const reading: Reading = {
    stream: `KV_${bucket}`,
    consumer,
    filter: prefix + filter,
    from: "newest-of-each-subject",
    onMessage: ({ subject, headers, body }) =>
      onEntry(
        subject.slice(prefix.length),
        Object.hasOwn(headers, "KV-Operation") ? undefined : body,
      ),
  };
  const follow = async (): Promise<void> => {
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      try {
        await connection.connected(signal);
        await connection.read({ ...reading, onStart: () => (attempt = 0) }, signal);
      } catch (error) {
        if (!(error instanceof FleetError)) throw error;
      }
      await pause(clock, backoffMillis(attempt, clock.random()), signal);
    }
  };
  void follow();
  return () => ended.abort();
}
