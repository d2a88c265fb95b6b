/**
 * Which speaker is opened with what, and what the plan is told of it.
 */
import { describe, expect, test } from "vitest";
import { mergeConfig } from "../../agent/config-schema.ts";
import type { WrittenConfig } from "../../agent/written-config.ts";
import { frrOptions, planOptionsOf, stopMode } from "../../agent/core/backend-start.ts";
import { shadowSpeaker } from "../../agent/core/shadow.ts";
import type { Capability } from "../../backends/backend.ts";
import type { BackendName } from "../../backends/intent.ts";
import type { NeighborKey } from "../../events/ids.ts";
import { PersistentMap } from "../../events/persistent-map.ts";
import type { Wire } from "../../events/state.ts";

const quiet = { debug() {}, info() {}, warn() {}, error() {} };
const parts = (backend: BackendName) => ({
  config: mergeConfig({ frr: { pathspace: "x" } }, { backend }, "host-1"),
  logger: quiet,
  reveal: () => undefined,
  restart: { restarting: false, forwardingPreserved: false },
  before: { wires: {} },
});
const speaker = {
  name: "frr",
  capabilities: { has: new Set<Capability>(), missing: new Map<Capability, string>() },
} as const;
const daemon = { all: () => [], problems: () => [], watch: () => () => undefined };
const keeps = (bfd: "auto" | "bfdd" | "engine", has?: typeof daemon) =>
  planOptionsOf(
    [{ ...speaker, ...(has && { bfd: has }) }],
    mergeConfig({ frr: { bfd } }, {}, "host-1"),
    { has: new Set(), missing: new Map() },
  ).bfd;

test("frr is told what the configuration says, and which neighbours an earlier run made", () => {
  const key = "|10.0.0.1|" as NeighborKey;
  const wire = { neighbors: PersistentMap.from([[key, {}]]) } as unknown as Wire;
  const options = frrOptions({ ...parts("frr"), before: { wires: { frr: wire } } });
  expect(options).toMatchObject({ vtyDirectory: "/run/frr", pathspace: "x", takeOver: "none" });
  expect([...options.ours]).toEqual([key]);
});

test("a speaker's own daemon keeps BFD, unless the engine shall", () => {
  expect([keeps("auto", daemon), keeps("bfdd", daemon), keeps("engine", daemon)]).toEqual([
    "speaker",
    "speaker",
    "engine",
  ]);
  expect(keeps("auto")).toBe("engine");
});

test("beside a daemon that keeps BFD nobody else does", () => {
  const config = mergeConfig({}, {}, "host-1");
  const kernel = { has: new Set<never>(), missing: new Map() };
  const beside = { ...speaker, name: "native" } as const;
  const made = planOptionsOf([{ ...speaker, bfd: daemon }, beside], config, kernel);
  expect([made.backend, made.bfd]).toEqual(["frr", "speaker"]);
  expect(made.besides?.map(({ backend, bfd }) => [backend, bfd])).toEqual([["native", "taken"]]);
  const engine = planOptionsOf([speaker, beside], config, kernel);
  expect(engine.besides?.map(({ bfd }) => bfd)).toEqual(["engine"]);
});

test("a speaker that runs beside is planned in the first one's place as it is known", async () => {
  const kernel = { has: new Set<never>(), missing: new Map() };
  const named = (name: BackendName) => ({ ...speaker, name });
  const config = mergeConfig({}, {}, "host-1");
  const running = planOptionsOf(
    [{ ...named("frr"), bfd: daemon }, named("native"), named("gobgp")],
    config,
    kernel,
  );
  const { options, warnings } = await shadowSpeaker("native", config, running);
  expect([options.backend, options.bfd, warnings]).toEqual(["native", "engine", []]);
  expect(options.besides?.map(({ backend, bfd }) => [backend, bfd])).toEqual([["gobgp", "engine"]]);
  expect((await shadowSpeaker("frr", config, running)).options).toBe(running);
});

describe("what becomes of sessions and routes when the agent is stopped", () => {
  const modeOf = (backend: BackendName, written: WrittenConfig, signal = "SIGTERM") =>
    stopMode(mergeConfig(written, { backend }, "host-1"), signal);

  test("FRR stays as it is, unless the configuration wants it undone", () => {
    expect(modeOf("frr", {})).toBe("graceful");
    expect(modeOf("frr", { frr: { onStop: "remove" }, stop: "graceful" })).toBe("final");
  });

  test("another speaker says Cease, unless the configuration wants its peers to wait", () => {
    expect(modeOf("native", {})).toBe("final");
    expect(modeOf("native", { stop: "graceful" })).toBe("graceful");
    expect(modeOf("gobgp", { stop: "graceful" })).toBe("graceful");
  });

  test("whoever replaces the agent takes nothing back, whatever the configuration says", () => {
    expect(modeOf("native", {}, "SIGUSR2")).toBe("graceful");
    expect(modeOf("frr", { frr: { onStop: "remove" } }, "SIGUSR2")).toBe("graceful");
  });
});
