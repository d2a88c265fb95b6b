/**
 * `rutter doctor`: when thousands of virtual IPs should be bound otherwise, and which daemon does not answer; the line that mends it.
 */
import { expect, test } from "vitest";
import { doctorReport, type Findings } from "../../agent/core/doctor.ts";

const findingsWith = (onDevices: number, daemons: Findings["daemons"] = []): Findings => ({
  program: "rutter",
  nodeVersion: "v24",
  lacking: new Map(),
  listenProblem: undefined,
  daemons,
  peers: [],
  quarantined: [],
  sourceComplaints: [],
  missingSecrets: [],
  notRecording: undefined,
  freeOctets: 2n ** 40n,
  stateDirectory: "/var/lib/rutter",
  kernel: { lacking: [], problems: [], onDevices, sysctls: [] },
  notInstalled: [],
});
const checksOf = (onDevices: number) =>
  doctorReport(findingsWith(onDevices)).filter(({ check }) => check === "kernel");

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

test("each daemon of the speaker has a line: which, since when, and the way out where it does not answer", () => {
  const daemons: Findings["daemons"] = [
    { daemon: "bgpd", state: "up", sinceMillis: 0, forSeconds: 9, reason: "", fix: "" },
    {
      daemon: "zebra",
      state: "hung",
      sinceMillis: 0,
      forSeconds: 71,
      reason: "no answer for 2.5 s",
      fix: "look at its log",
    },
    {
      daemon: "bfdd",
      state: "in-the-way",
      sinceMillis: 0,
      forSeconds: 5,
      reason: "it has BFD's UDP ports",
      fix: "bfdd=no",
    },
    { daemon: "gobgpd", state: "up", sinceMillis: 0, forSeconds: 1, reason: "it crashed", fix: "" },
  ];
  const report = doctorReport(findingsWith(0, daemons)).filter(({ check }) => check === "speaker");
  expect(report.map(({ severity, detail, fix }) => [severity, detail, fix])).toEqual([
    ["info", "bgpd is up", ""],
    [
      "error",
      "zebra is hung: it runs and has not answered for 71 s: no answer for 2.5 s",
      "look at its log",
    ],
    ["error", "bfdd is there and in the way for 5 s: it has BFD's UDP ports", "bfdd=no"],
    [
      "warning",
      "gobgpd is up; the one before: it crashed",
      "rutter log --type speaker-daemon-observed says over what it ended",
    ],
  ]);
});
