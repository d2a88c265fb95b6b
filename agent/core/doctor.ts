/**
 * `rutter doctor`: what on this host stands in the way, each with the line that mends it.
 *
 * Looks only; never changes anything. What is measured is handed in, so that each finding can be tested.
 */
import type { Capabilities } from "../../backends/backend.ts";
import type { DaemonStatus } from "../../backends/daemons.ts";
import type { DoctorJson, PeerJson } from "../api/contract.ts";
import type { NotInstalled } from "./not-installed.ts";

export type Findings = {
  readonly program: string;
  readonly nodeVersion: string;
  /** What a speaker can't do on this host. */
  readonly lacking: Capabilities["missing"];
  readonly listenProblem: string | undefined;
  /** Of the speaker, with the seconds that each has been as it is. */
  readonly daemons: readonly (DaemonStatus & { readonly forSeconds: number })[];
  readonly peers: readonly PeerJson[];
  readonly quarantined: readonly { readonly resource: string; readonly reason: string }[];
  readonly sourceComplaints: readonly string[];
  readonly missingSecrets: readonly string[];
  readonly notRecording: string | undefined;
  /** Octets that the file system of the state directory has left. */
  readonly freeOctets: bigint;
  readonly stateDirectory: string;
  /** A text where the kernel could not be opened: why. */
  readonly kernel: KernelFindings | string;
  /** Of a speaker that installs routes itself; a text where it could not be asked: why. */
  readonly notInstalled: readonly NotInstalled[] | string;
};

export type KernelFindings = {
  /** What this kernel or host lacks of what is configured here, in words. */
  readonly lacking: readonly string[];
  readonly problems: readonly { readonly entry: string; readonly reason: string }[];
  /** Virtual IPs of IPv4 that are on a device as addresses. */
  readonly onDevices: number;
  /** Knobs that are not as the configuration needs them. */
  readonly sysctls: readonly {
    readonly name: string;
    readonly value: string;
    readonly why: string;
    readonly fix: string;
  }[];
};

type Check = DoctorJson[number];

/** Below this a burst of events could fill the disk before somebody looks. */
const LOW_OCTETS = 256n * 1024n * 1024n;
/** Up to here all are bound or unbound in half a second; it grows with the square (docs/decisions/011). */
const MANY_ON_DEVICES = 1000;

export function doctorReport(findings: Findings): DoctorJson {
  return [
    good("program", `${findings.program} on Node ${findings.nodeVersion}`),
    findings.notRecording === undefined
      ? good("log", "every fact is recorded")
      : bad(
          "log",
          `not recording: ${findings.notRecording}`,
          "free space on the disk, or look at dmesg for errors of it; routing goes on meanwhile",
        ),
    findings.freeOctets < LOW_OCTETS
      ? warn(
          "disk",
          `${findings.freeOctets / 1048576n} MiB left in ${findings.stateDirectory}`,
          `make room in ${findings.stateDirectory}`,
        )
      : good("disk", `${findings.freeOctets / 1048576n} MiB left in ${findings.stateDirectory}`),
    findings.listenProblem === undefined
      ? good("listen", "the BGP port is open to the configured peers")
      : warn(
          "listen",
          findings.listenProblem,
          "stop the other speaker, or give --listen another address:port; this agent dials its peers meanwhile",
        ),
    ...[...findings.lacking]
      .filter(([, reason]) => reason.includes("kernel"))
      .map(([capability, reason]) => warn("kernel", `${capability}: ${reason}`, "")),
    ...findings.daemons.map(daemonCheck),
    ...kernelChecks(findings.kernel),
    ...installedChecks(findings.notInstalled),
    ...findings.missingSecrets.map((name) =>
      bad(
        "secrets",
        `the value of ${name} is missing`,
        "apply the Secret or the BGPPeer with its password again",
      ),
    ),
    ...findings.sourceComplaints.map((text) =>
      bad("manifests", text, "mend the file; it is read again when it changes"),
    ),
    ...findings.quarantined.map(({ resource, reason }) =>
      warn("quarantine", `${resource}: ${reason}`, "mend or delete the resource"),
    ),
    ...findings.peers.map(peerCheck),
  ];
}

function kernelChecks(kernel: KernelFindings | string): DoctorJson {
  if (typeof kernel === "string") {
    return [bad("kernel", `nothing is installed or bound: ${kernel}`, "")];
  }
  const { lacking, problems, onDevices, sysctls } = kernel;
  const all = [
    ...lacking.map((what) => warn("kernel", what, "")),
    ...problems.map(({ entry, reason }) => warn("kernel", `${entry}: ${reason}`, "")),
    ...(onDevices > MANY_ON_DEVICES
      ? [
          warn(
            "kernel",
            `${onDevices} virtual IPs of IPv4 are bound as addresses: the kernel goes through all of them for each one more`,
            "kernel: { bindAs: routes } in agent.yaml, and start the agent again: they stay bound meanwhile",
          ),
        ]
      : []),
    ...sysctls.map(({ name, value, why, fix }) =>
      warn("sysctl", `${name} is ${value}: ${why}`, fix),
    ),
  ];
  return all.length > 0 ? all : [good("kernel", "routes, addresses and rules are as planned")];
}

function installedChecks(found: Findings["notInstalled"]): DoctorJson {
  if (typeof found === "string")
    return [bad("routes", `the speaker does not answer: ${found}`, "")];
  return found.map(({ vrf, count, example }) =>
    warn(
      "routes",
      `${count} learned ${count === 1 ? "route" : "routes"}${vrf === "" ? "" : ` of VRF ${vrf}`} not installed by the speaker, such as ${example}`,
      `look at its own word: vtysh -c 'show ip route ${example}'; a next hop that is not reachable, or a filter of its own`,
    ),
  );
}

function daemonCheck({
  daemon,
  state,
  reason,
  fix,
  forSeconds,
}: Findings["daemons"][number]): Check {
  const how = `${daemon} is ${STATE_WORDS[state]}`;
  if (state === "up") {
    return reason === ""
      ? good("speaker", how)
      : warn("speaker", `${how}; the one before: ${reason}`, LOOK_BACK);
  }
  return bad("speaker", `${how} for ${forSeconds} s${reason === "" ? "" : `: ${reason}`}`, fix);
}

const STATE_WORDS: Readonly<Record<DaemonStatus["state"], string>> = {
  up: "up",
  hung: "hung: it runs and has not answered",
  ended: "not there",
  "in-the-way": "there and in the way",
};
const LOOK_BACK = "rutter log --type speaker-daemon-observed says over what it ended";

const peerCheck = (peer: PeerJson): Check =>
  peer.state === "Established"
    ? good("peer", `${peer.name} is Established`)
    : warn(
        "peer",
        `${peer.name} is ${peer.state}: ${peer.reason}`,
        `rutter peers; on the other side: is AS ${peer.localAs} expected from this host?`,
      );

const good = (check: string, detail: string): Check => ({
  check,
  ok: true,
  severity: "info",
  detail,
  fix: "",
});
const warn = (check: string, detail: string, fix: string): Check => ({
  check,
  ok: false,
  severity: "warning",
  detail,
  fix,
});
const bad = (check: string, detail: string, fix: string): Check => ({
  check,
  ok: false,
  severity: "error",
  detail,
  fix,
});
