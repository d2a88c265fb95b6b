/**
 * Long answers, written as they are walked: a table of a million routes is never one string and never one array.
 *
 * The walk stands still while the client does not read, and lets the main loop turn between chunks, because BGP runs on the
 * same thread. Reads next: server.ts.
 */
import { Readable } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import type { Reply } from "./endpoints.ts";

/** Octets gathered before they are handed to the socket: some hundred routes, well below a millisecond of work. */
const CHUNK_LENGTH = 32 * 1024;

/**
 * The first item is pulled at once, so that a question that has no answer is still answered with a problem instead of a
 * cut stream.
 */
export async function bodyOf({ items, as }: Extract<Reply, { type: "items" }>): Promise<Readable> {
  const walk =
    Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  const first = await walk.next();
  return Readable.from(as === "lines" ? lines(walk, first) : array(walk, first), {
    objectMode: false,
  });
}

type Walk = Iterator<unknown> | AsyncIterator<unknown>;

async function* lines(walk: Walk, first: IteratorResult<unknown>): AsyncGenerator<string> {
  yield* gathered(walk, first, "", (item) => `${JSON.stringify(item)}\n`);
}

async function* array(walk: Walk, first: IteratorResult<unknown>): AsyncGenerator<string> {
  let separator = "";
  yield* gathered(walk, first, "[", (item) => {
    const text = `${separator}${JSON.stringify(item)}`;
    separator = ",\n";
    return text;
  });
  yield "]";
}

async function* gathered(
  walk: Walk,
  first: IteratorResult<unknown>,
  head: string,
  textOf: (item: unknown) => string,
): AsyncGenerator<string> {
  let chunk = head;
  try {
    for (let next = first; next.done !== true; next = await walk.next()) {
      chunk += textOf(next.value);
      if (chunk.length < CHUNK_LENGTH) continue;
      yield chunk;
      chunk = "";
      await turn();
    }
    if (chunk !== "") yield chunk;
  } finally {
    // The client left: whatever the walk holds is given back.
    await walk.return?.();
  }
}
