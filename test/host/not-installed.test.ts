/**
 * Learned routes that a speaker which installs them itself did not install, as `doctor` says it.
 */
import { expect, test } from "vitest";
import { doctorReport, type Findings } from "../../agent/core/doctor.ts";
import { notInstalled, type NotInstalledParts } from "../../agent/core/not-installed.ts";
import { plan } from "../../agent/plan/plan.ts";
import type { Capability, ShownRoute } from "../../backends/backend.ts";
import type { NeighborKey } from "../../events/ids.ts";
import type { Prefix } from "../../events/prefix.ts";
import { configuration, options, together, world } from "../plan/world.ts";

const capabilities = {
  has: new Set<Capability>(["installs-routes", "vrf"]),
  missing: new Map<Capability, string>(),
};
const made = plan(
  world(
    {},
    together(
      configuration("a", [
        {
          asn: 64512,
          prefixes: ["10.7.0.0/16"],
          neighbors: [{ asn: 1, address: "10.0.0.1", toAdvertise: { allowed: { mode: "all" } } }],
        },
        { asn: 64512, vrf: "red", neighbors: [{ asn: 1, address: "10.0.0.1" }] },
      ]),
    ),
  ).desired,
  { ...options, backend: "frr", capabilities },
);
const route = (prefix: string, vrf = "", accepted = true): ShownRoute =>
  ({
    prefix: prefix as Prefix,
    neighbor: `${vrf}|10.0.0.1|` as NeighborKey,
    accepted,
  }) as ShownRoute;
/** By VRF and rule: `speaker`, `others`, `connected`. */
const kernelWith = (
  has: Readonly<Record<string, readonly string[]>>,
): NotInstalledParts["kernel"] => ({
  offers: (rules) =>
    rules.map(({ rule, vrf }) => ({
      type: "exported",
      rule,
      whole: true,
      added: (has[`${vrf} ${rule.split("/").at(-1)}`] ?? []) as Prefix[],
      removed: [],
    })),
});
const ask = (routes: readonly ShownRoute[], has: Readonly<Record<string, readonly string[]>>) =>
  notInstalled({
    backend: { name: "frr", capabilities, routes: () => routes },
    kernel: kernelWith(has),
    plan: made,
  });

test("what was accepted and is in no table is told once for each VRF", async () => {
  const learned = [
    route("10.1.0.0/16"),
    route("10.2.0.0/16"),
    route("10.2.0.0/16"),
    route("10.1.0.0/16", "red"),
    route("10.3.0.0/16", "", false),
  ];
  expect(await ask(learned, { " speaker": ["10.1.0.0/16"] })).toEqual([
    { vrf: "", count: 1, example: "10.2.0.0/16" },
    { vrf: "red", count: 1, example: "10.1.0.0/16" },
  ]);
});

test("who has a better route than the learned one has no fault", async () => {
  const learned = [route("10.4.0.0/16"), route("10.5.0.0/16"), route("10.7.0.0/16")];
  const has = { " others": ["10.4.0.0/16"], " connected": ["10.5.0.0/16"] };
  expect(await ask(learned, has)).toEqual([]);
});

test("nobody looks where the agent installs them itself", async () => {
  const backend = { name: "frr", capabilities: options.capabilities } as const;
  const found = await notInstalled({
    backend: { ...backend, routes: () => [route("10.1.0.0/16")] },
    kernel: kernelWith({}),
    plan: made,
  });
  expect(found).toEqual([]);
});

test("doctor says how many and where to look", () => {
  const findings: Findings = {
    program: "1",
    nodeVersion: "24",
    lacking: new Map(),
    listenProblem: undefined,
    daemons: [],
    peers: [],
    quarantined: [],
    sourceComplaints: [],
    missingSecrets: [],
    notRecording: undefined,
    freeOctets: 1n << 40n,
    stateDirectory: "/s",
    kernel: { lacking: [], problems: [], onDevices: 0, sysctls: [] },
    notInstalled: [{ vrf: "red", count: 2, example: "10.1.0.0/16" as Prefix }],
  };
  const said = (of: Findings) => doctorReport(of).filter(({ check }) => check === "routes");
  expect(said(findings)).toMatchObject([
    {
      ok: false,
      severity: "warning",
      detail: "2 learned routes of VRF red not installed by the speaker, such as 10.1.0.0/16",
    },
  ]);
  expect(said({ ...findings, notInstalled: "timeout" })).toMatchObject([{ severity: "error" }]);
  expect(said({ ...findings, notInstalled: [] })).toEqual([]);
});
