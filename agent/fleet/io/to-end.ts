/**
 * Reads a stream, or the keys of a bucket, up to what is its end while it is read.
 *
 * Reads next: connection.ts.
 */
import type { FleetConnection, Reading } from "./connection.ts";

/** A server that has more sends it at once; one that counted what is gone by now sends nothing. */
const IDLE_MILLIS = 3000;

/**
 * Resolves after the last message that there was at the beginning; rejects with FleetError, as read() does. The server's count
 * of what is pending is not trusted alone: a key that is written anew while it is read is counted twice by some.
 */
export async function readUpToEnd(
  connection: Pick<FleetConnection, "read">,
  reading: Omit<Reading, "onStart">,
): Promise<void> {
  const ended = new AbortController();
  const end = (): void => ended.abort();
  let wanted = 0;
  let idle: NodeJS.Timeout | undefined;
  try {
    await connection.read(
      {
        ...reading,
        onStart: (pending) => {
          wanted = pending;
          if (pending === 0) end();
          else idle = setTimeout(end, IDLE_MILLIS);
        },
        onMessage: async (message) => {
          clearTimeout(idle);
          await reading.onMessage(message);
          wanted -= 1;
          if (message.pending === 0 || wanted <= 0) end();
          else idle = setTimeout(end, IDLE_MILLIS);
        },
      },
      ended.signal,
    );
  } finally {
    clearTimeout(idle);
  }
}

type Keys = { readonly bucket: string; readonly consumer: string; readonly filter: string };

/** Every key of a bucket that matches `filter` (`*` for a whole token), with its value. */
export async function readKeys(
  connection: Pick<FleetConnection, "read">,
  keys: Keys,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const entries = await readEntries(connection, keys);
  return new Map([...entries].map(([key, { value }]) => [key, value]));
}

/** As readKeys(); `storedAt` is RFC 3339, the server's clock. */
export async function readEntries(
  connection: Pick<FleetConnection, "read">,
  { bucket, consumer, filter }: Keys,
): Promise<ReadonlyMap<string, { readonly value: Uint8Array; readonly storedAt: string }>> {
  const found = new Map<string, { readonly value: Uint8Array; readonly storedAt: string }>();
  const prefix = `$KV.${bucket}.`;
  await readUpToEnd(connection, {
    stream: `KV_${bucket}`,
    consumer,
    filter: prefix + filter,
    from: "newest-of-each-subject",
    onMessage: ({ subject, headers, body: value, storedAt }) => {
      const key = subject.slice(prefix.length);
      if (Object.hasOwn(headers, "KV-Operation")) found.delete(key);
      else found.set(key, { value, storedAt });
    },
  });
  return found;
}
