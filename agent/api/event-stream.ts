/**
 * Server-sent events: the log as it grows, or the status as it changes.
 *
 * Each reader has a cursor in the log and nothing else: a commit only wakes it, and it reads on at its own pace. So a slow
 * reader costs no memory, misses nothing, and can come back with Last-Event-ID. Reads next: server.ts.
 */
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import type { Core } from "./core.ts";

/** Below any proxy's idle limit, and below the server's own. */
const KEEPALIVE_MS = 15_000;
/** What is not a commit (a counter, an age) is shown this late at most. */
const STATUS_INTERVAL_MS = 1000;
/** A status is not computed more often than this, nor for more than a tenth of the time. */
const STATUS_PAUSE_MS = 250;
const STATUS_SHARE = 10;

export type Wanted = {
  /** First seq to send; undefined: only what comes. */
  readonly from: number | undefined;
  readonly types: readonly string[] | undefined;
  readonly subject: string | undefined;
};

/** A connection as the loops below see it: `open` turns false once, and ends every wait. */
type Line = {
  readonly open: () => boolean;
  /** Resolves when there is room again, or the reader left. */
  send(text: string): Promise<void>;
  /** Resolves after `wake()`, after that many milliseconds, or when the reader left. */
  pause(millis: number): Promise<void>;
  wake(): void;
};

function openLine(response: ServerResponse): Line {
  const left = new AbortController();
  let woken = Promise.withResolvers<void>();
  const wake = (): void => woken.resolve();
  response.once("close", () => {
    left.abort();
    wake();
  });
  response.writeHead(200, {
    "content-type": "text/event-stream",
    "cache-control": "no-store",
    connection: "keep-alive",
  });
  response.flushHeaders();
  return {
    open: () => !left.signal.aborted,
    wake,
    async send(text) {
      if (left.signal.aborted || response.write(text)) return;
      // The server's idle limit destroys a reader that never makes room.
      await once(response, "drain", { signal: left.signal }).catch((error: unknown) => {
        if (!left.signal.aborted) throw error;
      });
    },
    async pause(millis) {
      const timer = setTimeout(wake, millis);
      await woken.promise;
      clearTimeout(timer);
      woken = Promise.withResolvers();
    },
  };
}

/** Facts in order of seq, each as `id: SEQ`, `event: fact`. Resolves when the reader left. */
export async function streamLog(
  core: Core,
  wanted: Wanted,
  response: ServerResponse,
): Promise<void> {
  let head = core.head();
  let next = wanted.from ?? head + 1;
  const line = openLine(response);
  const unfollow = core.followLog((seq) => {
    head = seq;
    line.wake();
  });
  try {
    while (line.open()) {
      const until = head;
      if (next <= until) {
        for (const fact of core.log({ ...wholeLog, ...wanted, from: next, to: until })) {
          await line.send(`id: ${fact.seq}\nevent: fact\ndata: ${JSON.stringify(fact)}\n\n`);
          if (!line.open()) return;
        }
        next = until + 1;
      } else {
        await line.pause(KEEPALIVE_MS);
        if (line.open() && next > head) await line.send(": alive\n\n");
      }
    }
  } finally {
    unfollow();
    response.end();
  }
}

const wholeLog = { since: undefined, until: undefined, last: undefined } as const;

/** The whole status whenever it differs from the one sent before. Resolves when the reader left. */
export async function streamStatus(core: Core, response: ServerResponse): Promise<void> {
  const line = openLine(response);
  const unfollow = core.followLog(() => line.wake());
  let sent = "";
  let quiet = 0;
  try {
    while (line.open()) {
      const began = performance.now();
      const text = JSON.stringify(core.status());
      const spent = performance.now() - began;
      if (text !== sent) {
        sent = text;
        quiet = began;
        await line.send(`event: status\ndata: ${text}\n\n`);
      } else if (began - quiet > KEEPALIVE_MS) {
        quiet = began;
        await line.send(": alive\n\n");
      }
      await rest(Math.max(STATUS_PAUSE_MS, spent * STATUS_SHARE));
      await line.pause(STATUS_INTERVAL_MS);
    }
  } finally {
    unfollow();
    response.end();
  }
}

const rest = (millis: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, millis).unref();
  });
