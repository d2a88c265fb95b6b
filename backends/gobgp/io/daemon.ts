/**
 * gobgpd as a child of the agent, where the configuration says so: started, watched, started again with a budget.
 *
 * It speaks on a Unix socket alone, without its profiler, and with a log on its standard output that is read for the reasons of
 * ended sessions, which the API of 3.x does not tell. One that an agent before us started and that still answers there is taken as it
 * is: its sessions are worth more than its being a child. Never decides what is told. Reads next: ../gobgp-backend.ts.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { connect } from "node:net";
import type { Clock, Logger } from "../../clock.ts";

export type DaemonOptions = {
  readonly program: string;
  readonly socketPath: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onPeerDown: (address: string, reason: string) => void;
  /** It ended by itself, or could not be started; `words` is the head of what it said to standard error. Returns that in a sentence. */
  readonly onEnd: (reason: string, words: string) => string;
};

export type SupervisedDaemon = {
  /** It runs as our child: whatever becomes of it is told by onEnd. */
  readonly isChild: () => boolean;
  /** Why it is not running; undefined: it is. */
  readonly problem: () => string | undefined;
  stop(signal: "SIGTERM" | "SIGKILL"): Promise<void>;
};

/** So many starts in so long; then a pause, because whatever ends it will do so again. */
const BUDGET = { starts: 5, withinMillis: 60_000, pauseMillis: 30_000 };
const AGAIN_MILLIS = 200;
/** Enough of a Go panic to see what it was and which message it read, short enough for a log line. */
const LAST_WORDS = 4000;
const STOP_MILLIS = 3000;
/** Between two looks at one that is no child of ours. */
const LOOK_MILLIS = 1000;

export function superviseGobgpd(options: DaemonOptions): SupervisedDaemon {
  const { clock, logger, program, socketPath } = options;
  let child: ChildProcess | undefined;
  let problem: string | undefined = "gobgpd has not been started yet";
  let stopped = false;
  let cancel = (): void => undefined;
  let starts: number[] = [];

  const again = (reason: string): void => {
    if (stopped) return;
    const now = clock.monotonicMillis();
    starts = starts.filter((at) => now - at < BUDGET.withinMillis);
    const isSpent = starts.length >= BUDGET.starts;
    if (isSpent) {
      const pause = `it ended ${starts.length} times within a minute: a pause of ${BUDGET.pauseMillis / 1000} s before the next start`;
      logger.error({ reason }, pause);
      problem = `${reason}; ${pause}`;
    }
    cancel = clock.after(isSpent ? BUDGET.pauseMillis : AGAIN_MILLIS, () => void begin());
  };
  const begin = async (): Promise<void> => {
    const isThere = await answers(socketPath);
    if (stopped) return;
    if (!isThere) {
      start();
      return;
    }
    if (problem !== undefined)
      logger.info({ socketPath }, "gobgpd of an earlier run is there and is kept");
    problem = undefined;
    cancel = clock.after(LOOK_MILLIS, () => void begin());
  };
  const start = (): void => {
    starts.push(clock.monotonicMillis());
    // gobgpd does not remove the socket of a run that was killed, and cannot listen where it is.
    rmSync(socketPath, { force: true });
    const argv = ["--api-hosts", `unix://${socketPath}`, "--pprof-disable", "--log-level", "info"];
    const running = spawn(program, argv, { stdio: ["ignore", "pipe", "pipe"] });
    child = running;
    let words = "";
    let ended = false;
    const end = (reason: string): void => {
      if (ended) return;
      ended = true;
      child = undefined;
      problem = reason;
      if (!stopped) {
        logger.error({ words }, reason);
        problem = options.onEnd(reason, words);
      }
      again(problem);
    };
    running.once("spawn", () => {
      problem = undefined;
      logger.info({ pid: running.pid, socketPath }, "started gobgpd");
    });
    running.once("error", (error) => end(`gobgpd cannot be started: ${error.message}`));
    running.once("close", (code, signal) => end(`gobgpd ended with ${signal ?? `status ${code}`}`));
    running.stderr.setEncoding("utf8").on("data", (text: string) => {
      // The head of a panic says what it was.
      if (words.length < LAST_WORDS) words = (words + text).slice(0, LAST_WORDS);
    });
    linesOf(running.stdout, (line) => {
      const said = peerDown(line);
      if (said !== undefined) options.onPeerDown(said.address, said.reason);
    });
  };
  void begin();

  return {
    isChild: () => child !== undefined,
    problem: () => problem,
    async stop(signal) {
      stopped = true;
      cancel();
      const running = child;
      if (running === undefined) return;
      await new Promise<void>((resolve) => {
        running.once("close", () => resolve());
        running.kill(signal);
        clock.after(STOP_MILLIS, () => running.kill("SIGKILL"));
      });
    },
  };
}

const answers = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });

/** A line that never ends is none of gobgpd's. */
const LINE_LIMIT = 65_536;

function linesOf(stream: NodeJS.ReadableStream, take: (line: string) => void): void {
  let rest = "";
  stream.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = (lines.pop() ?? "").slice(0, LINE_LIMIT);
    for (const line of lines) take(line);
  });
}

/** gobgpd logs in JSON; what is no such line says nothing. */
export function peerDown(
  line: string,
): { readonly address: string; readonly reason: string } | undefined {
  let said: unknown;
  try {
    said = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof said !== "object" || said === null) return undefined;
  const { msg, Key: address, Reason: reason } = said as Readonly<Record<string, unknown>>;
  return msg === "Peer Down" && typeof address === "string" && typeof reason === "string"
    ? { address, reason: reason.slice(0, 500) }
    : undefined;
}
