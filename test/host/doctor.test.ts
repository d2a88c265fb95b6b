/**
 * `rutter doctor`: when thousands of virtual IPs should be bound otherwise, and the line that does it.
 */
import { expect, test } from "vitest";
import { doctorReport, type Findings } from "../../agent/core/doctor.ts";

const checksOf = (onDevices: number) => {
  const findings: Findings = {
    program: "rutter",
    nodeVersion: "v24",
    capabilities: { has: new Set(), missing: new Map() } as never,
    listenProblem: undefined,
    daemons: [],
    peers: [],
    quarantined: [],
    sourceComplaints: [],
    missingSecrets: [],
    notRecording: undefined,
    freeOctets: 2n ** 40n,
    stateDirectory: "/var/lib/rutter",
    kernel: { lacking: [], problems: [], onDevices, sysctls: [] },
    notInstalled: [],
  };
  return doctorReport(findings).filter(({ check }) => check === "kernel");
};

test("more than a thousand virtual IPs as addresses: routes are advised", () => {
  expect(checksOf(1000)).toMatchObject([{ ok: true }]);
  expect(checksOf(1001)).toMatchObject([
    {
      severity: "warning",
      detail: expect.stringContaining("1001 virtual IPs"),
      fix: expect.stringContaining("kernel: { bindAs: routes }"),
    },
  ]);
});
