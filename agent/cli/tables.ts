/**
 * What `-o table` shows of each answer: the columns that an operator looks for first.
 *
 * Pure: an answer, the time and the terminal in, text out. JSON and YAML show everything; a table leaves out.
 */
import type { BfdJson } from "../api/bfd-json.ts";
import type {
  DoctorJson,
  PeerJson,
  PlanAnswer,
  ShadowAnswer,
  ResourceJson,
  RouteJson,
  ServiceJson,
  StatusJson,
  WhyJson,
} from "../api/contract.ts";
import { ago, type Colour, coloured, safe, table } from "./terminal.ts";

export type Screen = {
  readonly width: number | undefined;
  readonly colour: boolean;
  readonly nowMillis: number;
};

/** Services that a status names one by one; the others are counted. Those with trouble come first. */
const SERVICES_SHOWN = 20;

/** `group/Kind/namespace/name` as a person says it: `bgppeer.metallb.io/metallb-system/peer1`. */
export function resourceName(key: string): string {
  const [group = "", kind = "", namespace = "", name = ""] = key.split("/");
  return manifestName(group, kind, namespace, name);
}

export function manifestName(group: string, kind: string, namespace: string, name: string): string {
  const type = `${kind.toLowerCase()}${group === "" ? "" : `.${group}`}`;
  return safe([type, namespace, name].filter((part) => part !== "").join("/"));
}

export const groupOf = (apiVersion: string): string =>
  apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : "";

const listOf = (values: readonly string[]): string => values.join(",");

export function peersTable(peers: readonly PeerJson[], screen: Screen): string {
  if (peers.length === 0) return "no peers\n";
  // With one speaker it would say the same in each line.
  const whose = new Set(peers.map(({ backend }) => backend)).size > 1;
  const heads = ["ADDRESS", "AS", "STATE", "SINCE", "SENT", "RECEIVED", "RESETS", "REASON"];
  return table(
    ["NAME", ...(whose ? ["BACKEND"] : []), ...heads],
    peers.map((peer) => [
      peer.name,
      ...(whose ? [peer.backend] : []),
      placeOf(peer) + (peer.vrf === "" ? "" : `%${peer.vrf}`),
      String(peer.remoteAs),
      peer.state,
      ago(peer.since, screen.nowMillis),
      String(peer.sent),
      String(peer.received),
      String(peer.resets),
      peer.reason,
    ]),
    screen.width,
  );
}

/** A link-local address with its zone (RFC 4007 §11); the interface alone until the neighbour on it was found. */
const placeOf = ({ address, interface: zone }: PeerJson): string =>
  [address, zone].filter((one) => one !== null).join("%");

const millis = (micros: number): string => `${Math.round(micros / 100) / 10} ms`;

export function bfdTable(sessions: readonly BfdJson[], screen: Screen): string {
  if (sessions.length === 0) return "no BFD sessions\n";
  return table(
    [
      "PEER",
      "LOCAL",
      "HOPS",
      "STATE",
      "SINCE",
      "TX",
      "RX",
      "DETECTION",
      "ECHO",
      "CHANGES",
      "DIAGNOSTIC",
    ],
    sessions.map((one) => [
      one.vrf === "" ? one.peer : `${one.peer} (${one.vrf})`,
      one.localAddress ?? "",
      one.multihop ? "multi" : "single",
      one.state,
      ago(one.since, screen.nowMillis),
      millis(one.transmitInterval),
      millis(one.receiveInterval),
      millis(one.detectionTime),
      one.echo,
      String(one.transitions),
      one.diagnostic,
    ]),
    screen.width,
  );
}

function servicesTable(services: readonly ServiceJson[], screen: Screen): string {
  const inTrouble = services.filter(({ announced }) => !announced);
  const shown = [...inTrouble, ...services.filter(({ announced }) => announced)].slice(
    0,
    SERVICES_SHOWN,
  );
  const text = table(
    ["NAMESPACE", "SERVICE", "ADDRESSES", "ANNOUNCED", "REASON"],
    shown.map(({ namespace, name, addresses, announced, reason }) => [
      namespace,
      name,
      listOf(addresses.map(({ address }) => address)),
      announced ? "yes" : "no",
      reason,
    ]),
    screen.width,
  );
  const left = services.length - shown.length;
  return left === 0 ? text : `${text}and ${left} more: rutter status -o json\n`;
}

const stateColour: Readonly<Record<StatusJson["state"], Colour>> = {
  starting: "yellow",
  running: "green",
  held: "yellow",
  degraded: "red",
  stopping: "yellow",
  stopped: "red",
};

/** The agent in one line, then each thing that is there, trouble first. */
export function statusTable(status: StatusJson, screen: Screen): string {
  const { node, backend, besides, state, logSeq, peers, services, quarantined, held } = status;
  const up = peers.filter((peer) => peer.state === "Established").length;
  const announced = services.filter((service) => service.announced).length;
  const head = [
    `node ${safe(node)}`,
    coloured(state, stateColour[state], screen.colour),
    `backend ${safe([backend, ...besides].join(", "))}`,
    `up ${ago(status.startedAt, screen.nowMillis)}`,
    `log at ${logSeq}`,
    `peers ${up}/${peers.length} Established`,
    `services ${announced}/${services.length} announced`,
  ];
  const parts = [`${head.join(", ")}\n`];
  const { notRecording, kernel, daemons } = status;
  if (notRecording !== null) {
    const since = ago(notRecording.since, screen.nowMillis);
    parts.push(
      `NOT RECORDING for ${since}: ${safe(notRecording.reason)} (${notRecording.lost} facts lost)\n`,
    );
  }
  for (const { name, state, since, reason } of daemons) {
    if (state === "up" && reason === "") continue;
    const before = state === "up" ? "the one before: " : "";
    const how = `${safe(name).toUpperCase()} ${state} for ${ago(since, screen.nowMillis)}`;
    parts.push(`${how}${reason === "" ? "" : `: ${before}${safe(reason)}`}\n`);
  }
  for (const { entry, reason } of kernel?.problems ?? []) {
    parts.push(`KERNEL ${safe(entry)}: ${safe(reason)}\n`);
  }
  if (status.fleet !== null) parts.push(fleetLines(status.fleet, screen));
  for (const { what, reason } of held) parts.push(`HELD ${safe(what)}: ${safe(reason)}\n`);
  if (peers.length > 0) parts.push("\n", peersTable(peers, screen));
  if (services.length > 0) parts.push("\n", servicesTable(services, screen));
  if (quarantined.length > 0) {
    const rows = quarantined.map(({ resource, rule, reason }) => [
      resourceName(resource),
      rule,
      reason,
    ]);
    parts.push("\n", table(["QUARANTINED", "RULE", "REASON"], rows, screen.width));
  }
  return parts.join("");
}

function fleetLines(fleet: NonNullable<StatusJson["fleet"]>, screen: Screen): string {
  const { connected, since, reason, generation, lag, left, verdicts, diverged } = fleet;
  const head = [
    `fleet ${safe(fleet.name)}`,
    connected
      ? coloured("connected", "green", screen.colour)
      : coloured("not connected", "yellow", screen.colour),
    `for ${ago(since, screen.nowMillis)} (${safe(reason)})`,
    `generation ${generation}`,
    ...(lag === null || lag === 0 ? [] : [`${lag} messages behind`]),
    ...(verdicts.length === 0 ? [] : [`${verdicts.length} refused`]),
  ];
  const lines = [head.join(", ")];
  if (diverged !== null) lines.push(`DIVERGED: ${safe(diverged.reason)}`);
  for (const one of left) lines.push(`LEFT ${resourceName(one.resource)}: ${safe(one.reason)}`);
  return `${lines.join("\n")}\n`;
}

/** Fixed widths, because rows are written as they come; a longer cell moves only its own line. */
const routeWidths = [24, 16, 24, 20, 5, 5, 20] as const;
const routeCells = (cells: readonly string[]): string =>
  `${cells
    .map((cell, column) => safe(cell === "" ? "-" : cell).padEnd(routeWidths[column] ?? 0))
    .join(" ")
    .trimEnd()}\n`;

export const routesHeading = (): string =>
  routeCells(["PREFIX", "PEER", "NEXT HOP", "AS PATH", "PREF", "MED", "COMMUNITIES", "NOTE"]);

export function routeRow(route: RouteJson): string {
  const line = routeCells([
    route.prefix,
    route.peer,
    route.nextHop,
    route.asPath,
    String(route.localPref ?? ""),
    String(route.med ?? ""),
    listOf([...route.communities, ...route.largeCommunities]),
    noteOf(route),
  ]);
  const raw = (route.raw ?? []).map(
    ({ code, flags, hex }) => `    attribute ${code} flags 0x${flags.toString(16)} ${hex}\n`,
  );
  return line + raw.join("");
}

function noteOf({ accepted, reason, kernel }: RouteJson): string {
  if (kernel === undefined) return accepted ? "accepted" : reason;
  const { table: number, metric, device, rule } = kernel;
  return `dev ${device} table ${number} metric ${metric} by ${rule || "an earlier run"}`;
}

export function planTable(plan: PlanAnswer): string {
  const lines: string[] = [];
  for (const { peer, add, change, remove } of plan.peers) {
    if (add.length + change.length + remove.length === 0) continue;
    lines.push(`${safe(peer)}:`);
    lines.push(...add.map((prefix) => `  + ${safe(prefix)}`));
    lines.push(...change.map((prefix) => `  ~ ${safe(prefix)}`));
    lines.push(...remove.map((prefix) => `  - ${safe(prefix)}`));
  }
  const { add, remove } = plan.kernel;
  if (add.length + remove.length > 0) lines.push("kernel:");
  lines.push(...add.map((entry) => `  + ${safe(entry)}`));
  lines.push(...remove.map((entry) => `  - ${safe(entry)}`));
  lines.push(...besides(plan.speaker));
  lines.push(...plan.resets.map((peer) => `session reset: ${safe(peer)}`));
  if (plan.shadow !== null) lines.push(...shadowLines(plan.shadow));
  if (lines.length === 0) lines.push("nothing changes on the wire");
  if (plan.held !== null) {
    lines.push("held since the upgrade, until: rutter confirm plan");
    lines.push(...plan.held.remove.map((prefix) => `  - ${safe(prefix)}`));
    lines.push(...plan.held.resets.map((peer) => `  session reset: ${safe(peer)}`));
  }
  for (const { resource, rule, reason } of plan.quarantined) {
    lines.push(`quarantined: ${resourceName(resource)}: ${safe(reason)} [${safe(rule)}]`);
  }
  for (const { resource, field, reason } of plan.notCarried) {
    lines.push(`${carried(reason)}: ${resourceName(resource)} ${safe(field)}`);
  }
  for (const { resource, reason } of plan.warnings) {
    lines.push(`warning: ${resourceName(resource)}: ${safe(reason)}`);
  }
  return `${lines.join("\n")}\n`;
}

function shadowLines({ neighbors, notOpened, warnings }: ShadowAnswer): readonly string[] {
  return [
    ...neighbors.map(
      ({ peer, effect, fields }) => `differs: ${safe(peer)} ${safe(fields.join(", "))} (${effect})`,
    ),
    ...notOpened.map(({ peer, reason }) => `not opened: ${safe(peer)}: ${safe(reason)}`),
    ...warnings.map((warning) => `warning: ${safe(warning)}`),
  ];
}

function besides({ add, change, remove }: PlanAnswer["speaker"]): readonly string[] {
  const lines = [
    ...add.map((what) => `  + ${safe(what)}`),
    ...change.map((what) => `  ~ ${safe(what)}`),
    ...remove.map((what) => `  - ${safe(what)}`),
  ];
  return lines.length === 0 ? [] : ["speaker:", ...lines];
}

const carried = (reason: string): string =>
  safe(reason.startsWith("not carried") ? `accepted, ${reason}` : reason);

export function whyTable(answer: WhyJson, screen: Screen): string {
  const { prefix, peer, announced, chain } = answer;
  const verdict = announced
    ? coloured("announced", "green", screen.colour)
    : coloured("not announced", "red", screen.colour);
  const head = `${safe(prefix)} to ${peer === null ? "all peers" : safe(peer)}: ${verdict}\n\n`;
  const rows = chain.map((step) => [
    step.step,
    step.verdict,
    step.seq === null ? "" : String(step.seq),
    step.subject.split("/").length === 4 ? resourceName(step.subject) : step.subject,
    step.reason,
  ]);
  return head + table(["STEP", "VERDICT", "SEQ", "SUBJECT", "REASON"], rows, screen.width);
}

export function doctorTable(checks: DoctorJson, screen: Screen): string {
  const marks = { info: "dim", warning: "yellow", error: "red" } as const;
  return checks
    .map(({ check, ok, severity, detail, fix }) => {
      const mark = ok ? "ok" : severity;
      const shown = coloured(mark.padEnd(8), ok ? "green" : marks[severity], screen.colour);
      const way = ok || fix === "" ? "" : `\n         → ${safe(fix)}`;
      return `${shown} ${safe(check)}: ${safe(detail)}${way}\n`;
    })
    .join("");
}

export function resourcesTable(resources: readonly ResourceJson[], screen: Screen): string {
  if (resources.length === 0) return "no resources\n";
  return table(
    ["RESOURCE", "NAMESPACE", "NAME", "OWNER", "SEQ", "STATE", "NOTES"],
    resources.map(({ apiVersion, kind, metadata, status }) => [
      manifestName(groupOf(apiVersion), kind, "", ""),
      metadata.namespace ?? "",
      metadata.name,
      status.owner,
      String(status.seq ?? ""),
      status.state,
      notesOf(status),
    ]),
    screen.width,
  );
}

function notesOf(status: ResourceJson["status"]): string {
  const addresses = (status.loadBalancer?.ingress ?? []).map(({ ip }) => ip);
  return [
    ...addresses,
    ...(status.reason === "" ? [] : [status.reason]),
    ...status.notCarried.map(({ field, reason }) =>
      reason.startsWith("not carried") ? `accepted, ${reason} (${field})` : `${reason} (${field})`,
    ),
  ].join("; ");
}
