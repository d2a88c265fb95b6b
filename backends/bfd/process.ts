/**
 * `rutter bfd serve`: the BFD process. Holds what the agent asked for last, tells it of changes, and does nothing else.
 *
 * It outlives the agent: sessions go on for `keepSeconds` after the agent went away, and a new one adopts them. On SIGTERM it
 * says AdminDown to every peer, so that none takes the stop for a failure (RFC 5882 §3.2), and ends.
 * Reads next: protocol.ts, engine.ts, io/loop.ts.
 */
import { randomBytes } from "node:crypto";
import { chmodSync, rmSync } from "node:fs";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import type { Logger } from "../clock.ts";
import { createEngine, type Engine } from "./engine.ts";
import { runLoop } from "./io/loop.ts";
import { monotonicClock } from "./io/monotonic.ts";
import { realTimePriority, withoutHelpers } from "./io/priority.ts";
import { createSockets, type Sockets } from "./io/sockets.ts";
import type { BfdParameters } from "./parameters.ts";
import { type FromProcess, lineReader, PROTOCOLS, type ToProcess } from "./protocol.ts";

export type ServeOptions = {
  readonly socketPath: string;
  readonly program: string;
  /** Sessions go on so long without an agent; 0: they end with its connection, and the C bit is not set. */
  readonly keepSeconds: number;
  /** Ends by itself once it holds nothing and no agent is connected. */
  readonly untilIdle: boolean;
  readonly logger: Logger;
  /** Resolves when the process is to end. */
  readonly stop: Promise<unknown>;
  readonly onReady: () => void;
};

/** Thrown where the control socket cannot be had. */
export class BfdServeError extends Error {
  override readonly name = "BfdServeError";
  readonly code = "BFD_SOCKET";
}

export async function serveBfd(options: ServeOptions): Promise<void> {
  withoutHelpers();
  const clock = monotonicClock();
  const sockets = createSockets(clock, Math.random);
  let agent: Socket | undefined;
  const say = (message: FromProcess): void => {
    agent?.write(`${JSON.stringify(message)}\n`);
  };
  const engine = createEngine(
    {
      sendControl: (key, octets) => sockets.sender(key)?.sendControl(octets, clock.nowMicros()),
      sendEcho: sockets.sendEcho,
      returnEcho: sockets.returnEcho,
      changed: (transition) => say({ type: "transition", transition }),
      random: Math.random,
    },
    { controlPlaneIndependent: options.keepSeconds > 0 },
  );
  const { hold, trim } = holder(engine, sockets, clock.nowMicros);
  let stopping = false;
  let wasAsked = false;
  let letGoAt = Number.POSITIVE_INFINITY;
  const server = await listen(options, {
    connected(socket) {
      // The newest agent is the one: the one before is gone, or about to be refused by the log's lock.
      agent?.destroy();
      agent = socket;
      letGoAt = Number.POSITIVE_INFINITY;
    },
    gone(socket) {
      if (agent !== socket) return;
      agent = undefined;
      wasAsked = true;
      letGoAt = clock.nowMicros() + options.keepSeconds * 1e6;
    },
    take(message) {
      if (message.type === "hold") {
        const held = hold(message.sessions);
        const keys = engine.statuses().map(({ key }) => key);
        say({ type: "held", request: message.request, ...held, keys });
      } else if (message.type === "status") {
        say({
          type: "status",
          atMicros: clock.nowMicros(),
          sessions: engine.statuses(),
          problems: sockets.problems(),
          discards: engine.discards(),
        });
      }
    },
  });
  void options.stop.then(() => {
    stopping = true;
    hold([]);
  });
  options.onReady();
  await runLoop({
    clock,
    descriptors: sockets.descriptors,
    drain: (ready) =>
      sockets.drain(ready, (datagram) => engine.receive(datagram, clock.nowMicros())),
    act(nowMicros, heardUpToMicros) {
      engine.act(nowMicros, heardUpToMicros);
      sockets.retry(nowMicros);
      trim();
      const isIdle = wasAsked && agent === undefined && engine.statuses().length === 0;
      if (options.untilIdle && isIdle) stopping = true;
      if (nowMicros < letGoAt) return;
      letGoAt = Number.POSITIVE_INFINITY;
      options.logger.warn({ seconds: options.keepSeconds }, "no agent came back: sessions end");
      hold([]);
    },
    nextDue: () => engine.nextDue(),
    stopped: () => stopping && !engine.leaving(),
  });
  sockets.close();
  agent?.destroy();
  server.close();
}

type Holder = {
  hold(sessions: readonly BfdParameters[]): ReturnType<Engine["hold"]>;
  /** Closes the sockets of sessions that have said goodbye. */
  trim(): void;
};

/** Senders are opened before the engine speaks, and closed after it said AdminDown for the last time. */
function holder(engine: Engine, sockets: Sockets, nowMicros: () => number): Holder {
  let wanted: readonly BfdParameters[] = [];
  let isTrim = true;
  return {
    hold(sessions) {
      const now = nowMicros();
      const keys = new Set(sessions.map(({ key }) => key));
      sockets.hold([...wanted.filter(({ key }) => !keys.has(key)), ...sessions], now);
      wanted = sessions;
      isTrim = false;
      return engine.hold(sessions, now);
    },
    trim() {
      if (isTrim || engine.leaving()) return;
      isTrim = true;
      sockets.hold(wanted, nowMicros());
    },
  };
}

type Control = {
  connected(socket: Socket): void;
  gone(socket: Socket): void;
  take(message: Exclude<ToProcess, { type: "hello" }>): void;
};

async function listen(options: ServeOptions, control: Control): Promise<Server> {
  const { socketPath } = options;
  if (await isServed(socketPath)) {
    throw new BfdServeError(
      `another BFD process serves ${socketPath}: stop it, or name another --socket`,
    );
  }
  rmSync(socketPath, { force: true });
  const instance = randomBytes(6).toString("hex");
  const priorityProblem = realTimePriority();
  const server = createServer((socket) => {
    let greeted = false;
    const answer = (message: FromProcess): void => {
      socket.write(`${JSON.stringify(message)}\n`);
    };
    const take = lineReader((line) => {
      // The socket belongs to this user alone: what comes is an agent's, of this version or another.
      const message = JSON.parse(line) as ToProcess;
      if (message.type !== "hello") {
        if (greeted) control.take(message);
        return;
      }
      const protocol = PROTOCOLS.find((one) => one <= message.protocol);
      if (protocol === undefined) {
        const served = PROTOCOLS.join(", ");
        const reason = `this BFD process (rutter ${options.program}) serves protocol ${served}, not ${message.protocol}: restart it`;
        answer({ type: "refused", reason });
        socket.end();
        return;
      }
      greeted = true;
      control.connected(socket);
      const { program, keepSeconds } = options;
      const { pid } = process;
      answer({ type: "hello", protocol, program, instance, pid, priorityProblem, keepSeconds });
      control.take({ type: "status" });
    });
    socket.setEncoding("utf8");
    socket.on("data", (chunk: string) => {
      try {
        take(chunk);
      } catch (error) {
        options.logger.warn({ error: String(error) }, "a client that speaks no protocol of ours");
        socket.destroy();
      }
    });
    socket.on("error", () => socket.destroy());
    socket.on("close", () => control.gone(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => {
      reject(new BfdServeError(`${socketPath}: ${error.message}`, { cause: error }));
    });
    server.listen(socketPath, resolve);
  });
  chmodSync(socketPath, 0o600);
  return server;
}

const isServed = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = createConnection(path, () => {
      probe.destroy();
      resolve(true);
    });
    probe.on("error", () => resolve(false));
  });
