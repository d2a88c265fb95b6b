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
import { frrCapabilities } from "../../backends/frr/capabilities.ts";
import { probeFrr } from "../../backends/frr/open-frr.ts";
import { startFrrDaemons } from "../live/frr-daemons.ts";
import type { Node } from "../live/netns.ts";

export type Speaker = {
  /** Beside those that every agent of the suite is given. */
  readonly agentArguments: readonly string[];
  /** Lines of agent.yaml. */
  readonly config: string;
  readonly capabilities: Capabilities;
  /** Who brings learned routes into the kernel, as `ip route show proto` calls it. */
  readonly installsAs: "82" | "bgp";
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
      // backends/kernel/netlink/numbers.ts
      installsAs: "82",
      capabilities: asked.capabilities,
      restart: undefined,
      stop: () => Promise.resolve(),
    };
  },
};

/** Daemons of its own in the host's node; zebra brings into the kernel what bgpd learns. */
const frr: Backend = {
  name: "frr",
  async start(node) {
    const daemons = await startFrrDaemons(node, { kernel: true });
    const place = { vtyDirectory: daemons.directory, pathspace: "", bfd: "auto" } as const;
    const facts = await probeFrr({ ...place, clock: systemClock });
    return {
      agentArguments: ["--backend", "frr"],
      config: `frr: {vtyDirectory: ${daemons.directory}}\n`,
      installsAs: "bgp",
      capabilities: frrCapabilities(facts),
      restart: async () => {
        await daemons.kill("bgpd");
        await daemons.start("bgpd");
      },
      stop: async () => {
        await daemons[Symbol.asyncDispose]();
      },
    };
  },
};

const gobgp: Backend = {
  name: "gobgp",
  async start(node) {
    const gobgpd = await startGobgpd(node);
    return {
      agentArguments: ["--backend", "gobgp"],
      installsAs: "82",
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

export const BACKENDS: readonly Backend[] = [native, frr, gobgp];
