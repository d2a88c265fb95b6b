/**
 * Reads a stream, or the keys of a bucket, up to what is its end while it is read.
 *
 * Reads next: connection.ts.
 */
import type { FleetConnection, Reading } from "./connection.ts";

/** Resolves after the last message that there is; rejects with FleetError, as read() does. */
export async function readUpToEnd(
  connection: Pick<FleetConnection, "read">,
  reading: Omit<Reading, "onStart">,
): Promise<void> {
  const ended = new AbortController();
  await connection.read(
    {
      ...reading,
      onStart: (pending) => {
        if (pending === 0) ended.abort();
      },
      onMessage: async (message) => {
        await reading.onMessage(message);
        if (message.pending === 0) ended.abort();
      },
    },
    ended.signal,
  );
}

/** Every key of a bucket that matches `filter` (`*` for a whole token), with its value. */
export async function readKeys(
  connection: Pick<FleetConnection, "read">,
  {
    bucket,
    consumer,
    filter,
  }: { readonly bucket: string; readonly consumer: string; readonly filter: string },
): Promise<ReadonlyMap<string, Uint8Array>> {
  const found = new Map<string, Uint8Array>();
  const prefix = `$KV.${bucket}.`;
  await readUpToEnd(connection, {
    stream: `KV_${bucket}`,
    consumer,
    filter: prefix + filter,
    from: "newest-of-each-subject",
    onMessage: ({ subject, headers, body }) => {
      const key = subject.slice(prefix.length);
      if (Object.hasOwn(headers, "KV-Operation")) found.delete(key);
      else found.set(key, body);
    },
  });
  return found;
}
