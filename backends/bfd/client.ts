/**
 * The agent's end of the BFD process: says what is to be held, and hears what becomes of it.
 *
 * Level-triggered: the newest intent is said again to every process that answers, so it does not matter who of the two was
 * restarted. Discriminators are drawn once and come back from the log, so a session is the same one afterwards. A session whose
 * key is missing is not asked for at all. Reads next: protocol.ts, process.ts.
 */
import { randomInt } from "node:crypto";
import { createConnection, type Socket } from "node:net";
import type { BfdKey, NeighborKey } from "../../events/ids.ts";
import type { PathState, RevealSecret } from "../backend.ts";
import type { Clock } from "../clock.ts";
import { type AuthenticationType, LONGEST_KEY } from "./authentication.ts";
import type { BfdIntent, BfdSessionIntent } from "./intent.ts";
import {
  type BfdParameters,
  type BfdStatus,
  type BfdTransition,
  diagnosticText,
} from "./parameters.ts";
import { type FromProcess, lineReader, PROTOCOLS, type ToProcess } from "./protocol.ts";

export type BfdFact =
  | {
      readonly type: "process";
      readonly connected: boolean;
      readonly instance: string;
      readonly reason: string;
    }
  | {
      readonly type: "held";
      readonly instance: string;
      readonly added: readonly (readonly [BfdKey, discriminator: number])[];
      readonly changed: readonly BfdKey[];
      readonly removed: readonly BfdKey[];
      /** Held by the process afterwards though nobody wants it; empty unless something is broken. */
      readonly unwanted: readonly BfdKey[];
    }
  | { readonly type: "transition"; readonly transition: BfdTransition }
  /** What a BGP session is to know of its path; told once for each change. Comes before the transition that it follows from. */
  | { readonly type: "path"; readonly neighbor: NeighborKey; readonly state: PathState };

export type BfdClient = {
  /** Newest wins. What can't be asked for now is asked for as soon as the process is there. */
  apply(intent: BfdIntent): void;
  watch(listener: (fact: BfdFact) => void): () => void;
  /** As last heard; refresh() asks again, and gives up waiting after half a second. */
  statuses(): ReadonlyMap<BfdKey, BfdStatus>;
  refresh(): Promise<void>;
  /** What keeps sessions from working, in words to act on; empty where nothing does. */
  problems(): readonly string[];
  /** `final`: every session is taken back first (the peers hear AdminDown). `leave`: the process goes on with them. */
  close(mode: "final" | "leave"): Promise<void>;
};

export type BfdClientOptions = {
  readonly socketPath: string;
  readonly program: string;
  readonly instance: string;
  readonly clock: Clock;
  readonly reveal: RevealSecret;
  /** From the log. */
  readonly discriminators: ReadonlyMap<BfdKey, number>;
  /** Called where a session is wanted and no process answers; at most every START_MILLIS. */
  readonly start: (() => void) | undefined;
};

const RETRY_MILLIS = 200;
const START_MILLIS = 5000;
const ANSWER_MILLIS = 500;
const LARGEST_DISCRIMINATOR = 0xffff_ffff;

export function createBfdClient(options: BfdClientOptions): BfdClient {
  const { clock } = options;
  const listeners = new Set<(fact: BfdFact) => void>();
  const discriminators = new Map(options.discriminators);
  const statuses = new Map<BfdKey, BfdStatus>();
  const paths = new Map<NeighborKey, "up" | "down">();
  const answered = new Set<() => void>();
  let intent: BfdIntent = { sessions: [] };
  let socket: Socket | undefined;
  let greeting: Extract<FromProcess, { type: "hello" }> | undefined;
  let processProblems: readonly string[] = [];
  let why = "";
  let missing: readonly string[] = [];
  let startedAt = Number.NEGATIVE_INFINITY;
  let cancelRetry: (() => void) | undefined;
  let requests = 0;
  let closed = false;
  let toldReason: string | undefined;

  const tell = (fact: BfdFact): void => {
    for (const listener of listeners) listener(fact);
  };
  const say = (message: ToProcess): void => void socket?.write(`${JSON.stringify(message)}\n`);
  const lost = (reason: string): void => {
    socket = undefined;
    const was = greeting;
    greeting = undefined;
    statuses.clear();
    tellPaths();
    why = reason;
    for (const done of answered) done();
    if (closed) return;
    // Each new reason once: a process that is away for an hour is one fact.
    if (was !== undefined || (intent.sessions.length > 0 && toldReason !== reason)) {
      toldReason = reason;
      tell({ type: "process", connected: false, instance: was?.instance ?? "", reason });
    }
    if (intent.sessions.length === 0 && was === undefined) {
      forget();
      return;
    }
    if (intent.sessions.length > 0) start();
    cancelRetry = clock.after(RETRY_MILLIS, connect);
  };
  /** Nothing is wanted and nobody is there: what the log knows of is gone with the process that held it. */
  const forget = (): void => {
    const removed = [...discriminators.keys()];
    discriminators.clear();
    if (removed.length === 0) return;
    tell({ type: "held", instance: "", added: [], changed: [], removed, unwanted: [] });
  };
  /** A path is down where it was up and failed; who never came up, or was shut down on purpose, says nothing of the path. */
  const tellPath = (transition: BfdTransition): void => {
    const { key, from, to, remoteState, diagnostic, remoteControlPlaneIndependent } = transition;
    const isFailure = from === "Up" && to === "Down" && remoteState !== "AdminDown";
    const reason = `BFD says that the path is down: ${diagnosticText(diagnostic)}`;
    const down: PathState = { type: "down", reason, remoteControlPlaneIndependent };
    const state: PathState = to === "Up" ? { type: "up" } : isFailure ? down : { type: "unknown" };
    const guards = intent.sessions.find((one) => one.key === key)?.guards ?? [];
    for (const neighbor of guards) setPath(neighbor, state);
  };
  /** Level-triggered: what an agent that was away missed, and whose session went away. */
  const tellPaths = (): void => {
    const guarded = new Map<NeighborKey, boolean>();
    for (const { key, guards } of intent.sessions) {
      for (const guard of guards) guarded.set(guard, statuses.get(key)?.state === "Up");
    }
    for (const [neighbor, isUp] of guarded) if (isUp) setPath(neighbor, { type: "up" });
    for (const [neighbor, state] of paths) {
      const isUp = guarded.get(neighbor);
      if (isUp === undefined || (state === "up" && !isUp)) setPath(neighbor, { type: "unknown" });
    }
  };
  const setPath = (neighbor: NeighborKey, state: PathState): void => {
    if ((paths.get(neighbor) ?? "unknown") === state.type) return;
    if (state.type === "unknown") paths.delete(neighbor);
    else paths.set(neighbor, state.type);
    tell({ type: "path", neighbor, state });
  };
  const start = (): void => {
    const now = clock.monotonicMillis();
    if (options.start === undefined || now - startedAt < START_MILLIS) return;
    startedAt = now;
    options.start();
  };

  const connect = (): void => {
    if (closed || socket !== undefined) return;
    // Nothing is wanted, and nothing was: nobody is bothered.
    if (intent.sessions.length === 0 && discriminators.size === 0) return;
    const connecting = createConnection(options.socketPath);
    socket = connecting;
    let reason = "";
    connecting.setEncoding("utf8");
    connecting.on("connect", () => {
      say({
        type: "hello",
        protocol: PROTOCOLS[0] ?? 0,
        program: options.program,
        instance: options.instance,
      });
    });
    const read = lineReader((line) => {
      const message = JSON.parse(line) as FromProcess;
      if (message.type === "refused") reason = message.reason;
      take(message);
    });
    connecting.on("data", (chunk: string) => read(chunk));
    connecting.on("error", (error: NodeJS.ErrnoException) => {
      reason = absence(options.socketPath, error.code ?? error.message);
    });
    connecting.on("close", () => lost(reason || "the BFD process has ended"));
  };

  const take = (message: FromProcess): void => {
    if (message.type === "hello") {
      greeting = message;
      toldReason = undefined;
      why = "";
      const { instance, priorityProblem } = message;
      tell({ type: "process", connected: true, instance, reason: priorityProblem });
      hold();
    } else if (message.type === "held") {
      heard(message);
      say({ type: "status" });
    } else if (message.type === "transition") {
      tellPath(message.transition);
      tell({ type: "transition", transition: message.transition });
      say({ type: "status" });
    } else if (message.type === "status") {
      statuses.clear();
      for (const status of message.sessions) statuses.set(status.key, status);
      tellPaths();
      processProblems = message.problems;
      for (const done of answered) done();
    }
  };

  const heard = (held: Extract<FromProcess, { type: "held" }>): void => {
    // An answer to what is no longer asked says nothing of what is wanted now.
    if (held.request !== requests || greeting === undefined) return;
    const wanted = new Set(intent.sessions.map(({ key }) => key));
    for (const key of discriminators.keys()) if (!wanted.has(key)) discriminators.delete(key);
    tell({
      type: "held",
      instance: greeting.instance,
      added: held.added.map((key) => [key, discriminators.get(key) ?? 0] as const),
      changed: held.changed,
      removed: held.removed,
      unwanted: held.keys.filter((key) => !wanted.has(key)),
    });
  };

  const hold = (): void => {
    if (greeting === undefined) return;
    requests += 1;
    const refused: string[] = [];
    const sessions = intent.sessions.flatMap((session) => {
      const parameters = parametersOf(session);
      if (typeof parameters !== "string") return parameters;
      refused.push(parameters);
      return [];
    });
    missing = refused;
    say({ type: "hold", request: requests, sessions });
  };

  /** A text where the session can't be asked for: why. */
  const parametersOf = (session: BfdSessionIntent): BfdParameters | string => {
    const { authentication, guards: _guards, provenance: _provenance, ...rest } = session;
    const key = authentication && options.reveal(authentication.secret);
    if (authentication !== undefined) {
      const problem = keyProblem(authentication.type, key);
      if (problem !== undefined) {
        return `BFD to ${rest.remote}: the key ${authentication.secret.name} ${problem}; the session never runs without it`;
      }
    }
    return {
      ...rest,
      localDiscriminator: discriminatorOf(session.key),
      authentication:
        authentication === undefined || key === undefined
          ? undefined
          : { type: authentication.type, keyId: authentication.keyId, key },
    };
  };

  const discriminatorOf = (key: BfdKey): number => {
    const known = discriminators.get(key);
    if (known !== undefined) return known;
    const taken = new Set(discriminators.values());
    let drawn = 0;
    // Hard to guess, so that nobody off the path can speak for a peer (RFC 5880 §6.8.1, §9).
    do drawn = randomInt(1, LARGEST_DISCRIMINATOR);
    while (taken.has(drawn));
    discriminators.set(key, drawn);
    return drawn;
  };

  return {
    apply(next) {
      intent = next;
      tellPaths();
      if (socket === undefined) {
        cancelRetry?.();
        connect();
      } else hold();
    },
    watch(listener) {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
    statuses: () => statuses,
    async refresh() {
      if (greeting === undefined) return;
      say({ type: "status" });
      await new Promise<void>((resolve) => {
        const done = (): void => {
          answered.delete(done);
          cancel();
          resolve();
        };
        const cancel = clock.after(ANSWER_MILLIS, done);
        answered.add(done);
      });
    },
    problems() {
      if (intent.sessions.length === 0) return [];
      return [...(why === "" ? [] : [why]), ...missing, ...processProblems];
    },
    async close(mode) {
      closed = true;
      cancelRetry?.();
      listeners.clear();
      const open = socket;
      if (open === undefined) return;
      if (mode === "final") say({ type: "hold", request: requests + 1, sessions: [] });
      await new Promise<void>((resolve) => {
        // A process that hangs must not hold up the agent's end.
        const cancel = clock.after(ANSWER_MILLIS, () => open.destroy());
        open.once("close", () => {
          cancel();
          resolve();
        });
        open.end();
      });
    },
  };
}

function absence(path: string, code: string): string {
  if (code === "ENOENT" || code === "ECONNREFUSED") {
    return `no BFD process serves ${path}: start rutter-bfd.service, or: rutter bfd serve --socket ${path}`;
  }
  return `the BFD process at ${path} cannot be reached: ${code}`;
}

function keyProblem(type: AuthenticationType, key: string | undefined): string | undefined {
  if (key === undefined) return "is missing on this host: apply it again";
  const longest = LONGEST_KEY[type];
  const octets = new TextEncoder().encode(key).length;
  return octets > longest
    ? `has ${octets} octets, and ${type} takes at most ${longest}: apply a shorter one`
    : undefined;
}
