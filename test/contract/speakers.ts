/**
 * The backends that the contract is run on, and what each needs beside the agent.
 *
 * A further backend is one line in BACKENDS; every scenario runs on it from then on.
 * Read next: capabilities.ts (what it may lack), stage.ts (who starts it).
 */
import type { Capabilities } from "../../backends/backend.ts";
import { systemClock } from "../../backends/clock.ts";
import { capabilities } from "../../backends/gobgp/capabilities.ts";
import type { BackendName } from "../../backends/intent.ts";
import { createNativeBackend } from "../../backends/native/native-backend.ts";
import { startGobgpd } from "../live/gobgpd.ts";
import type { Node } from "../live/netns.ts";

export type Speaker = {
  /** Beside those that every agent of the suite is given. */
  readonly agentArguments: readonly string[];
  /** Lines of agent.yaml. */
  readonly config: string;
  readonly capabilities: Capabilities;
  /** undefined: there is nothing beside the agent. */
  readonly restart: (() => Promise<void>) | undefined;
  stop(): Promise<void>;
};

export type Backend = {
  readonly name: BackendName;
  /** Starts in the host's node what the speaker is made of, empty, before the agent comes. */
  start(node: Node): Promise<Speaker>;
};

const quiet = { debug() {}, info() {}, warn() {}, error() {} };

/** Speaks in the agent's own process. What it declares is asked of one that is never told anything. */
const native: Backend = {
  name: "native",
  async start() {
    const asked = createNativeBackend({
      clock: systemClock,
      logger: quiet,
      reveal: () => undefined,
      restart: { restarting: false, forwardingPreserved: false },
      listen: [],
      stalePathSeconds: 1,
    });
    await asked.close("final");
    return {
      agentArguments: ["--backend", "native"],
      config: "",
      capabilities: asked.capabilities,
      restart: undefined,
      stop: () => Promise.resolve(),
    };
  },
};

const gobgp: Backend = {
  name: "gobgp",
  async start(node) {
    const gobgpd = await startGobgpd(node);
    return {
      agentArguments: ["--backend", "gobgp"],
      config: `gobgp: { address: "unix:${gobgpd.socket}" }\n`,
      capabilities,
      async restart() {
        await gobgpd.daemon().stop("SIGKILL");
        await gobgpd.restart();
      },
      stop: async () => {
        await gobgpd[Symbol.asyncDispose]();
      },
    };
  },
};

export const BACKENDS: readonly Backend[] = [native, gobgp];
