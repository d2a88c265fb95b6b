/**
 * One connection to one FRR daemon's vty socket: commands in, answers out, in order and pipelined.
 *
 * Opened on first use and anew after a failure. Never waits for a daemon that says nothing: whoever waits is told within
 * the time limit, and the connection is given up, for an answer that comes late would be taken for the next one's. Never
 * repeats a command by itself. Reads next: answers.ts.
 */
import { connect, type Socket } from "node:net";
import { BackendError, type BackendErrorCode } from "../../backend.ts";
import type { Clock } from "../../clock.ts";
import { answerReader, isDone, NotAnAnswer, type VtyAnswer } from "./answers.ts";

export type { VtyAnswer } from "./answers.ts";

export interface Vty {
  /** One command in the enable node, e.g. `show bgp vrf all summary json`. Rejects with BackendError. */
  show(command: string): Promise<string>;
  /**
   * Within `configure terminal`; pipelined; all answers, in order, also those of commands that are refused. Rejects with
   * BackendError where the daemon does not answer, and SPEAKER_REFUSED where it lets nobody configure it.
   */
  configure(commands: readonly string[]): Promise<readonly VtyAnswer[]>;
  /** Counts the connections that were lost: a daemon is surely the same as long as this is. */
  losses(): number;
  /** Whoever still waits is told so; later commands are refused. Idempotent. */
  close(): void;
}

export type VtyOptions = {
  readonly socketPath: string;
  /** How long a daemon that owes an answer may send nothing at all. */
  readonly timeoutMillis?: number;
  readonly clock: Clock;
  /** Told when a connection ends that close() did not end: also one on which nobody waited. */
  readonly onLost?: () => void;
};

/** A stopped daemon is noticed within 3 s, with the time for whoever asks; a busy one says something sooner. */
const TIMEOUT_MILLIS = 2_500;
/** A running configuration with 100,000 prefixes has 6 MiB; a table as JSON has more. */
const ANSWER_LIMIT_OCTETS = 64 * 1024 * 1024;

type Waiting = {
  readonly resolve: (answer: VtyAnswer) => void;
  readonly reject: (error: BackendError) => void;
};

type Connection = {
  readonly send: (commands: readonly string[]) => Promise<VtyAnswer[]>;
  readonly fail: (code: BackendErrorCode, reason: string, cause?: unknown) => void;
};

export function openVty(options: VtyOptions): Vty {
  const { socketPath } = options;
  let current: Connection | undefined;
  let lost = 0;
  let isClosed = false;

  const open = (): Connection => {
    const connection = openConnection(options, () => {
      if (current === connection) current = undefined;
      lost += 1;
      if (!isClosed) options.onLost?.();
    });
    // A vty socket starts where nothing but looking is allowed. Its answer tells nothing that the next one's does not.
    connection.send(["enable"]).catch(() => {});
    current = connection;
    return connection;
  };

  const send = async (commands: readonly string[]): Promise<VtyAnswer[]> => {
    if (commands.some(hasControlCharacter)) throw new Error("a command with a control character");
    if (isClosed) throw new BackendError("SPEAKER_UNREACHABLE", `${socketPath}: closed`);
    return (current ?? open()).send(commands);
  };

  return {
    async show(command) {
      const [answer] = await send([command]);
      if (answer === undefined || !isDone(answer))
        throw new BackendError("SPEAKER_REFUSED", `"${command}": ${answer?.text.trim() ?? ""}`);
      return answer.text;
    },
    async configure(commands) {
      const [entry, ...answers] = await send(["configure terminal", ...commands, "end"]);
      if (entry === undefined || !isDone(entry))
        throw new BackendError(
          "SPEAKER_REFUSED",
          `${socketPath}: it can't be configured now: ${entry?.text.trim() ?? ""}`,
        );
      return answers.slice(0, -1);
    },
    losses: () => lost,
    close() {
      isClosed = true;
      current?.fail("SPEAKER_UNREACHABLE", "closed");
    },
  };
}

function openConnection(options: VtyOptions, onLost: () => void): Connection {
  const { socketPath, clock, timeoutMillis = TIMEOUT_MILLIS } = options;
  const socket: Socket = connect(socketPath);
  const reader = answerReader(ANSWER_LIMIT_OCTETS);
  const waiting: Waiting[] = [];
  let isLost = false;
  let cancelDeadline = (): void => {};

  const fail: Connection["fail"] = (code, reason, cause) => {
    if (isLost) return;
    isLost = true;
    cancelDeadline();
    socket.destroy();
    onLost();
    const error = new BackendError(code, `${socketPath}: ${reason}`, { cause });
    for (const one of waiting) one.reject(error);
  };
  const setDeadline = (): void => {
    cancelDeadline();
    cancelDeadline =
      waiting.length === 0
        ? () => {}
        : clock.after(timeoutMillis, () => {
            fail("SPEAKER_TIMEOUT", `no answer within ${timeoutMillis} ms`);
          });
  };
  const take = (octets: Buffer): void => {
    let answered = 0;
    for (const answer of reader.take(octets)) {
      const one = waiting[answered];
      if (one === undefined) throw new NotAnAnswer("an answer that nobody asked for");
      answered += 1;
      one.resolve(answer);
    }
    waiting.splice(0, answered);
    setDeadline();
  };

  socket.on("data", (octets: Buffer) => {
    try {
      take(octets);
    } catch (error) {
      if (!(error instanceof NotAnAnswer)) throw error;
      fail("SPEAKER_UNREACHABLE", error.message, error);
    }
  });
  socket.on("error", (error) => {
    fail("SPEAKER_UNREACHABLE", error.message, error);
  });
  socket.on("close", () => {
    fail("SPEAKER_UNREACHABLE", "the daemon closed the connection");
  });
  return {
    fail,
    send: (commands) => {
      const isFirst = waiting.length === 0;
      const answers = commands.map(
        () =>
          new Promise<VtyAnswer>((resolve, reject) => {
            waiting.push({ resolve, reject });
          }),
      );
      if (isFirst) setDeadline();
      socket.write(commands.map((command) => `${command}\0`).join(""));
      return Promise.all(answers);
    },
  };
}

/** Whether a text would be more than one command, or would steer a terminal that shows it. */
export const hasControlCharacter = (text: string): boolean =>
  // oxlint-disable-next-line eslint/no-control-regex
  /[\u0000-\u001f\u007f]/.test(text);
