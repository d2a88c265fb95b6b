/**
 * A FleetConnection in a node, asked over a socket as the agent asks it in its own process.
 *
 * A connection belongs to the namespace of its process, so it cannot be held in the test's. Read next: fleet-driver.ts (the
 * process), fleet-nats.live.test.ts.
 */
import { createConnection } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type {
  ConnectionState,
  FleetAccess,
  Reading,
  StreamInfo,
  StreamSpec,
} from "../../agent/fleet/io/connection.ts";
import type { Node } from "./netns.ts";

/** The body in base64. */
export type DriverMessage = {
  readonly subject: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly sequence: number;
};

type Publication = {
  readonly stream: string;
  readonly subject: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly expected?: number;
};

export type Many = {
  readonly fleet: string;
  /** File with the seed that signs. */
  readonly seed: string;
  readonly sets: number;
  /** Services in each set, of so many different ones. */
  readonly each: number;
  readonly services: number;
  readonly timeoutMillis: number;
};

export type DriverOrder =
  | ({ readonly do: "publish-many" } & Many)
  | { readonly do: "connected" | "state" | "stop" }
  | { readonly do: "publish"; readonly message: Publication }
  | {
      readonly do: "read";
      readonly name: string;
      readonly reading: Omit<Reading, "onMessage" | "onStart">;
    }
  | { readonly do: "messages"; readonly name: string }
  | { readonly do: "last"; readonly stream: string; readonly subject: string }
  | { readonly do: "at"; readonly stream: string; readonly sequence: number }
  | { readonly do: "info"; readonly stream: string }
  | { readonly do: "stream"; readonly spec: StreamSpec }
  | { readonly do: "bucket"; readonly spec: { readonly name: string; readonly replicas: number } }
  | {
      readonly do: "put";
      readonly bucket: string;
      readonly key: string;
      readonly value: string;
    }
  | {
      readonly do: "raw";
      readonly act: "subscribe" | "publish" | "request";
      readonly subject: string;
      readonly body?: string;
    };

/** Methods reject with the FleetError's code in the message. */
export type FleetClient = AsyncDisposable & {
  connected(): Promise<void>;
  state(): Promise<ConnectionState>;
  publish(message: Publication): Promise<number>;
  read(name: string, reading: Omit<Reading, "onMessage" | "onStart">): Promise<void>;
  messages(name: string): Promise<{ messages: readonly DriverMessage[]; ended?: string }>;
  last(stream: string, subject: string): Promise<DriverMessage | null>;
  at(stream: string, sequence: number): Promise<DriverMessage | null>;
  info(stream: string): Promise<StreamInfo>;
  stream(spec: StreamSpec): Promise<void>;
  bucket(name: string, replicas?: number): Promise<void>;
  put(bucket: string, key: string, value: string): Promise<void>;
  /** So many change sets, by the publisher that `rutter fleet apply` has, in one process; gives the last generation. */
  publishMany(many: Many): Promise<number>;
  /** With a plain client of the same rights: `done`, an answer's text, or the server's words. */
  raw(act: "subscribe" | "publish" | "request", subject: string, body?: string): Promise<string>;
};

const PROGRAM = join(import.meta.dirname, "fleet-driver.ts");
let count = 0;

type DriverAnswer = {
  readonly id: number;
  readonly answer?: unknown;
  readonly error?: string;
  readonly message?: string;
};

/** Starts to connect; `connected()` waits for it. */
export async function startFleetClient(
  node: Node,
  access: Omit<FleetAccess, "name" | "inbox"> & Partial<FleetAccess>,
): Promise<FleetClient> {
  count += 1;
  const path = join(node.directory, `fleet${count}.sock`);
  const whole: FleetAccess = { name: `test ${count}`, inbox: "_INBOX", ...access };
  const daemon = await node.start([process.execPath, PROGRAM, path, JSON.stringify(whole)]);
  await new Promise<void>((resolve, reject) => {
    daemon.onLine((line) => {
      if (line === "ready") resolve();
    });
    void daemon.ended.then(() => reject(new Error(daemon.stderr())));
  });
  const socket = createConnection(path);
  const waiting = new Map<number, (answer: DriverAnswer) => void>();
  createInterface({ input: socket }).on("line", (line) => {
    const answer = JSON.parse(line) as DriverAnswer;
    waiting.get(answer.id)?.(answer);
    waiting.delete(answer.id);
  });
  socket.on("error", () => {});
  let last = 0;
  const ask = <T>(order: DriverOrder): Promise<T> =>
    new Promise((resolve, reject) => {
      last += 1;
      waiting.set(last, ({ answer, error, message }) => {
        if (error === undefined) resolve(answer as T);
        else reject(new Error(`${error}: ${message}`));
      });
      void daemon.ended.then(() => reject(new Error(`the client ended: ${daemon.stderr()}`)));
      socket.write(`${JSON.stringify({ id: last, order })}\n`);
    });
  return {
    connected: () => ask({ do: "connected" }),
    state: () => ask({ do: "state" }),
    publish: async (message) =>
      (await ask<{ sequence: number }>({ do: "publish", message })).sequence,
    read: (name, reading) => ask({ do: "read", name, reading }),
    messages: (name) => ask({ do: "messages", name }),
    last: (stream, subject) => ask({ do: "last", stream, subject }),
    at: (stream, sequence) => ask({ do: "at", stream, sequence }),
    info: (stream) => ask({ do: "info", stream }),
    stream: (spec) => ask({ do: "stream", spec }),
    bucket: (name, replicas = 1) => ask({ do: "bucket", spec: { name, replicas } }),
    put: (bucket, key, value) => ask({ do: "put", bucket, key, value }),
    publishMany: (many) => ask({ do: "publish-many", ...many }),
    raw: (act, subject, body = "") => ask({ do: "raw", act, subject, body }),
    async [Symbol.asyncDispose]() {
      socket.destroy();
      await daemon.stop("SIGKILL");
    },
  };
}
