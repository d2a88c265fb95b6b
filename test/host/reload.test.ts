/**
 * SIGHUP: which of a new configuration is taken while the agent runs, and which waits.
 */
import { expect, test } from "vitest";
import { type AgentConfig, mergeConfig } from "../../agent/config-schema.ts";
import type { WrittenConfig } from "../../agent/written-config.ts";
import { ConfigError } from "../../agent/config.ts";
import { reloads, taken, waiting } from "../../agent/core/reload.ts";
import { until } from "../live/until.ts";

const config = (written: WrittenConfig): AgentConfig => mergeConfig(written, {}, "host-1");

test("labels, endpoints, checks, bounds and the manner of stopping are taken, and the rest is named", () => {
  const old = config({});
  const next = config({
    node: { labels: { rack: "r7" } },
    endpoints: { default: "always" },
    checks: { web: { command: ["/bin/true"] } },
    receive: { beyond: "warn" },
    gracefulRestart: { restartTimeSeconds: 7, stalePathTimeSeconds: 8 },
    stop: "graceful",
    backend: "frr",
    state: "/elsewhere",
  });
  const now = taken(old, next);
  expect(now.node.labels).toEqual({ rack: "r7" });
  expect([now.endpoints.default, now.stop, now.receive?.beyond]).toEqual([
    "always",
    "graceful",
    "warn",
  ]);
  expect(now.gracefulRestart).toEqual({ restartTimeSeconds: 7, stalePathTimeSeconds: 360 });
  expect([now.backend, now.stateDirectory]).toEqual(["native", "/var/lib/rutter"]);
  expect(waiting(now, next)).toEqual(["backend", "stateDirectory", "gracefulRestart"]);
  expect(waiting(old, config({}))).toEqual([]);
});

test("the signal has the file read and the manifests looked at, and a mistake leaves everything as it was", async () => {
  const steps: string[] = [];
  let read: () => AgentConfig = () => config({ checks: { web: { command: ["/bin/true"] } } });
  const reloading = reloads(config({}), () => read());
  const logger = {
    info() {},
    warn() {},
    error: (_: object, text: string) => void steps.push(text),
  };
  const stop = reloading.follow({
    manager: { reloading: () => steps.push("reloading"), ready: () => steps.push("ready") },
    logger,
    rescan: async () => void steps.push("manifests"),
    onChange: () => steps.push("changed"),
  });
  process.kill(process.pid, "SIGHUP");
  await until(() => steps.includes("ready"), { what: "the reload" });
  expect(steps).toEqual(["reloading", "changed", "manifests", "ready"]);
  expect([...reloading.checks.keys()]).toEqual(["web"]);

  steps.length = 0;
  read = () => {
    throw new ConfigError("CONFIG_INVALID", [
      { file: "agent.yaml", line: 3, field: "stop", message: "no" },
    ]);
  };
  process.kill(process.pid, "SIGHUP");
  await until(() => steps.includes("ready"), { what: "the reload" });
  stop();
  expect(steps).toEqual([
    "reloading",
    "the configuration stays as it was: agent.yaml:3: stop: no",
    "manifests",
    "ready",
  ]);
  expect([...reloading.checks.keys()]).toEqual(["web"]);
});
