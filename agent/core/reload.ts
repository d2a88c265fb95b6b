/**
 * SIGHUP: the manifests are looked at now, and agent.yaml is read again; what of it can change while the agent runs does.
 *
 * A file with a mistake changes nothing and is told. What takes effect at the next start only is told, too, by name.
 * Reads next: ../config.ts, ../service-manager.ts.
 */
import { isDeepStrictEqual } from "node:util";
import type { Logger } from "../../backends/clock.ts";
import type { AgentConfig, NamedCheck } from "../config-schema.ts";
import { ConfigError } from "../config.ts";
import type { ServiceManager } from "../service-manager.ts";

export type Reloads = {
  /** As it is in force. */
  current(): AgentConfig;
  /** The named checks in force, always the same map. */
  readonly checks: ReadonlyMap<string, NamedCheck>;
  /** Follows the signal from now on; the returned function ends that. */
  follow(parts: {
    readonly manager: Pick<ServiceManager, "reloading" | "ready">;
    readonly logger: Logger;
    /** Looks at the manifests; resolves when what was found is recorded. */
    readonly rescan: () => Promise<void>;
    /** Something of current() is another than before. */
    readonly onChange: () => void;
  }): () => void;
};

/** What of a newer configuration is taken while the agent runs. */
export const taken = (old: AgentConfig, next: AgentConfig): AgentConfig => ({
  ...old,
  node: { ...old.node, labels: next.node.labels },
  endpoints: next.endpoints,
  checks: next.checks,
  receive: next.receive,
  gracefulRestart: {
    ...old.gracefulRestart,
    restartTimeSeconds: next.gracefulRestart.restartTimeSeconds,
  },
  stop: next.stop,
});

/** Names of what waits for a restart. */
export function waiting(inForce: AgentConfig, written: AgentConfig): readonly string[] {
  const names = Object.keys(written) as (keyof AgentConfig)[];
  return names.filter((name) => !isDeepStrictEqual(inForce[name], written[name]));
}

/** `read` throws ConfigError. */
export function reloads(first: AgentConfig, read: () => AgentConfig): Reloads {
  let config = first;
  const checks = new Map(first.checks);

  const reread = (logger: Logger): boolean => {
    let written: AgentConfig;
    try {
      written = read();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      logger.error({}, `the configuration stays as it was: ${error.message}`);
      return false;
    }
    const old = config;
    config = taken(old, written);
    checks.clear();
    for (const [name, check] of config.checks) checks.set(name, check);
    const restart = waiting(config, written);
    if (restart.length > 0) {
      logger.warn({ fields: restart }, `waits for a restart: ${restart.join(", ")}`);
    }
    return !isDeepStrictEqual(old, config);
  };

  return {
    current: () => config,
    checks,
    follow({ manager, logger, rescan, onChange }) {
      const reload = async (): Promise<void> => {
        manager.reloading();
        if (reread(logger)) onChange();
        await rescan();
        logger.info({}, "reloaded");
        manager.ready("reloaded");
      };
      const onSignal = (): void => void reload();
      process.on("SIGHUP", onSignal);
      return () => process.off("SIGHUP", onSignal);
    },
  };
}
