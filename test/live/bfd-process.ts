/**
 * `rutter bfd serve` in a place, driven over its control socket as the agent drives it.
 *
 * Read next: bfd.live.test.ts.
 */
import { createConnection } from "node:net";
import { join } from "node:path";
import type { BfdParameters, BfdStatus, BfdTransition } from "../../backends/bfd/parameters.ts";
import {
  type FromProcess,
  lineReader,
  PROTOCOLS,
  type ToProcess,
} from "../../backends/bfd/protocol.ts";
import type { Daemon } from "./daemon.ts";
import type { Node } from "./netns.ts";

const PROGRAM = join(import.meta.dirname, "../../agent/main.ts");

export type BfdDriver = AsyncDisposable & {
  readonly messages: readonly FromProcess[];
  readonly transitions: () => readonly BfdTransition[];
  say(message: ToProcess): void;
  hold(sessions: readonly BfdParameters[]): Promise<Extract<FromProcess, { type: "held" }>>;
  status(): Promise<Extract<FromProcess, { type: "status" }>>;
  session(): Promise<BfdStatus | undefined>;
  hangUp(): void;
};

export type BfdProcess = AsyncDisposable & {
  readonly daemon: Daemon;
  readonly socket: string;
  /** Another agent, as it were. */
  connect(protocol?: number): Promise<BfdDriver>;
};

export async function startBfd(node: Node, keepSeconds = 60): Promise<BfdProcess> {
  const socket = join(node.directory, "bfd.sock");
  const options = ["--socket", socket, "--keep", String(keepSeconds)];
  const daemon = await node.start([process.execPath, PROGRAM, "bfd", "serve", ...options]);
  await new Promise<void>((resolve, reject) => {
    daemon.onLine((line) => {
      if (line.startsWith("ready ")) resolve();
    });
    void daemon.ended.then(() => reject(new Error(daemon.stderr())));
  });
  return {
    daemon,
    socket,
    connect: (protocol) => connectTo(socket, protocol),
    async [Symbol.asyncDispose]() {
      await daemon.stop();
    },
  };
}

async function connectTo(path: string, protocol = PROTOCOLS[0] ?? 0): Promise<BfdDriver> {
  const socket = createConnection(path);
  socket.setEncoding("utf8");
  const messages: FromProcess[] = [];
  const waiting: ((message: FromProcess) => boolean)[] = [];
  const read = lineReader((line) => {
    const message = JSON.parse(line) as FromProcess;
    messages.push(message);
    for (const [i, takes] of waiting.entries()) {
      if (takes(message)) {
        waiting.splice(i, 1);
        break;
      }
    }
  });
  socket.on("data", read);
  socket.on("error", () => {});
  const next = <T extends FromProcess["type"]>(
    type: T,
  ): Promise<Extract<FromProcess, { type: T }>> =>
    new Promise((resolve) => {
      waiting.push((message) => {
        if (message.type !== type) return false;
        resolve(message as Extract<FromProcess, { type: T }>);
        return true;
      });
    });
  let requests = 0;
  const say = (message: ToProcess): void => void socket.write(`${JSON.stringify(message)}\n`);
  const status = (): Promise<Extract<FromProcess, { type: "status" }>> => {
    const answer = next("status");
    say({ type: "status" });
    return answer;
  };
  const greeted = Promise.race([next("hello"), next("refused")]);
  say({ type: "hello", protocol, program: "test", instance: "test" });
  await greeted;
  return {
    messages,
    transitions: () =>
      messages.flatMap((one) => (one.type === "transition" ? [one.transition] : [])),
    say,
    hold(sessions) {
      requests += 1;
      const answer = next("held");
      say({ type: "hold", request: requests, sessions });
      return answer;
    },
    status,
    session: async () => (await status()).sessions[0],
    hangUp: () => void socket.destroy(),
    async [Symbol.asyncDispose]() {
      socket.destroy();
    },
  };
}
