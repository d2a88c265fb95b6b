/**
 * What the agent runs with: agent.yaml, its defaults, and how the command line goes before it.
 *
 * Pure: config.ts reads the file, written-config.ts says what may stand in it.
 */
import type { FrrChoice } from "../backends/frr/choice.ts";
import { dirname, join } from "node:path";
import type { BackendName } from "../backends/intent.ts";
import { address } from "../events/address.ts";
import type { HostFacts, HostReceive } from "../events/event.ts";
import type { Prefix } from "../events/prefix.ts";
import type { Labels } from "../events/resources/resource.ts";
import { type FleetConfig, fleetConfig } from "./fleet/fleet-config.ts";
import type { ListenAt, WrittenConfig } from "./written-config.ts";

/** An entry of `checks:`. Runs without capabilities as this user (name or number; absent: nobody). */
export type NamedCheck = {
  readonly command: readonly string[];
  readonly timeoutSeconds: number;
  readonly user?: string;
};

export type AgentConfig = {
  readonly node: { readonly name: string; readonly labels: Labels };
  readonly backend: BackendName;
  /** Speakers beside `backend`, for peers that a PeerBackend gives them. They dial only: the port is the first one's. */
  readonly besides: readonly BackendName[];
  /** Where BGP connections are taken; an empty list: nowhere, the agent only dials. */
  readonly listen: readonly ListenAt[];
  readonly stateDirectory: string;
  readonly socket: string;
  /** Where `/metrics`, `/healthz` and `/readyz` are served beside the socket; undefined: nowhere. */
  readonly api: { readonly listen: ListenAt; readonly tokenFile: string } | undefined;
  /** Directory or file. `isDefault`: nobody named it, so that its absence is no fault. */
  readonly manifests: { readonly path: string; readonly isDefault: boolean };
  readonly endpoints: { readonly default: HostFacts["defaultEndpoint"] };
  readonly checks: ReadonlyMap<string, NamedCheck>;
  readonly gracefulRestart: {
    /** How long peers with enableGracefulRestart are asked to keep our routes (RFC 4724 §3). */
    readonly restartTimeSeconds: number;
    /** How long routes of a peer that is back from a restart stay unconfirmed (RFC 4724 §4.2). */
    readonly stalePathTimeSeconds: number;
  };
  readonly upgrade: { readonly onChangedPlan: "hold" | "apply" };
  /** What peers hear when the agent is stopped: `cease`, or nothing, so that one with graceful restart keeps our routes. */
  readonly stop: "cease" | "graceful";
  readonly bfd: {
    readonly socket: string;
    /** `auto`: the agent starts the BFD process where systemd does not. */
    readonly start: "auto" | "never";
    /** How long sessions go on without an agent, where it starts the process. */
    readonly keepSeconds: number;
  };
  readonly frr: FrrConfig;
  readonly gobgp: GobgpConfig;
  /** undefined: this host is fed by no fleet. */
  readonly fleet: FleetConfig | undefined;
  /** undefined: nothing beyond what manifests say. */
  readonly receive: HostReceive | undefined;
  readonly kernel: {
    /** Device that virtual IPs are bound to; undefined: somebody else does it. */
    readonly bindAddresses: string | undefined;
    /** Those of IPv4: where `ip address` shows them, or as local routes, of which the kernel takes any number. */
    readonly bindAs: "addresses" | "routes";
    /** Networks and hosts that manage this one: no learned route takes over the way to them. */
    readonly protect: readonly Prefix[];
    /** What is done where somebody changes what is ours. */
    readonly onForeignChange: "repair" | "report";
  };
  readonly log: {
    readonly level: "debug" | "info" | "warn" | "error";
    /** What the book keeps of received routes: how many there were after each burst, or nothing. */
    readonly routes: "counts" | "none";
  };
};

/** How the frr backend finds its daemons, and what of theirs it may have. */
export type FrrConfig = FrrChoice & {
  /**
   * What becomes of what is ours in FRR and in the kernel when the agent is stopped. `keep`: it works on, for the next start or
   * version to go on with; `remove`: it goes, and sessions end.
   */
  readonly onStop: "keep" | "remove";
};

/** How the gobgp backend finds gobgpd, and what of it it may have. */
export type GobgpConfig = {
  /** `unix:/path`, or `host:port`. Not used where it is supervised. */
  readonly address: string;
  /** Files in PEM. undefined: no TLS. */
  readonly tls:
    | { readonly ca?: string; readonly certificate?: string; readonly key?: string }
    | undefined;
  /** The agent starts gobgpd itself, on a socket in the state directory. */
  readonly supervise: { readonly program: string } | undefined;
  /** Neighbours that gobgpd has already and that manifests name too, by address. */
  readonly takeOver: "none" | "all" | readonly string[];
};

/** What the command line said; an absent member was not said. */
export type AgentOptions = {
  readonly config?: string;
  readonly state?: string;
  readonly socket?: string;
  readonly backend?: BackendName;
  readonly listen?: readonly ListenAt[];
  readonly manifests?: string;
};

export const DEFAULT_MANIFESTS = "/etc/rutter/manifests.d";
const DEFAULT_LISTEN: readonly ListenAt[] = [
  { address: address("0.0.0.0"), port: 179 },
  { address: address("::"), port: 179 },
];
/** As long as a check of a ServiceEndpoint may take when its author says nothing. */
const DEFAULT_CHECK_SECONDS = 10;

/** Command line before file before default. `hostname` as the kernel says it; node names are lower case. */
export function mergeConfig(
  written: WrittenConfig,
  options: AgentOptions,
  hostname: string,
): AgentConfig {
  const manifests = options.manifests ?? written.manifests;
  const backend = options.backend ?? written.backend ?? "native";
  const bindAddresses = written.kernel?.bindAddresses ?? "lo";
  const stateDirectory = options.state ?? written.state ?? "/var/lib/rutter";
  const socket = options.socket ?? written.socket ?? "/run/rutter/api.sock";
  return {
    node: {
      name: written.node?.name ?? hostname.toLowerCase(),
      labels: written.node?.labels ?? {},
    },
    backend,
    // The command line may have made one of them the first.
    besides: [...new Set(written.besides)].filter((one) => one !== backend),
    listen: options.listen ?? written.listen ?? DEFAULT_LISTEN,
    stateDirectory,
    socket,
    api: written.api,
    manifests: { path: manifests ?? DEFAULT_MANIFESTS, isDefault: manifests === undefined },
    endpoints: { default: written.endpoints?.default ?? "listen" },
    checks: new Map(
      Object.entries(written.checks ?? {}).map(([name, check]) => [name, named(check)]),
    ),
    gracefulRestart: {
      restartTimeSeconds: written.gracefulRestart?.restartTimeSeconds ?? 120,
      stalePathTimeSeconds: written.gracefulRestart?.stalePathTimeSeconds ?? 360,
    },
    upgrade: { onChangedPlan: written.upgrade?.onChangedPlan ?? "hold" },
    stop: written.stop ?? "cease",
    bfd: {
      // Beside the API's: two agents on one host, as tests run them, have a BFD process each.
      socket: written.bfd?.socket ?? join(dirname(socket), "bfd.sock"),
      start: written.bfd?.start ?? "auto",
      keepSeconds: written.bfd?.keepSeconds ?? 300,
    },
    frr: {
      vtyDirectory: written.frr?.vtyDirectory ?? "/run/frr",
      pathspace: written.frr?.pathspace ?? "",
      bfd: written.frr?.bfd ?? "auto",
      takeOver: written.frr?.takeOver ?? "none",
      onStop: written.frr?.onStop ?? "keep",
    },
    gobgp: gobgpConfig(written.gobgp ?? {}),
    fleet: written.fleet && fleetConfig(written.fleet, stateDirectory),
    receive: written.receive && hostReceive(written.receive),
    kernel: {
      bindAddresses: bindAddresses === "never" ? undefined : bindAddresses,
      bindAs: written.kernel?.bindAs ?? "addresses",
      protect: written.kernel?.protect ?? [],
      onForeignChange: written.kernel?.onForeignChange ?? "repair",
    },
    log: { level: written.log?.level ?? "info", routes: written.log?.routes ?? "counts" },
  };
}

const gobgpConfig = ({
  address: at,
  tls,
  supervise,
  takeOver,
}: NonNullable<WrittenConfig["gobgp"]>): GobgpConfig => ({
  address: at ?? "unix:/run/gobgp/gobgpd.sock",
  tls: tls && {
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.certificate === undefined ? {} : { certificate: tls.certificate }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
  },
  supervise:
    supervise === undefined || supervise === false
      ? undefined
      : { program: supervise.program ?? "/usr/bin/gobgpd" },
  takeOver: takeOver ?? "none",
});

/** FRR's words: `restart` where nothing is said, after a minute. */
const hostReceive = (written: NonNullable<WrittenConfig["receive"]>): HostReceive => ({
  alwaysBlock: written.alwaysBlock ?? [],
  maximumPrefixes: {
    ...(written.maximumPrefixes?.ipv4 === undefined ? {} : { ipv4: written.maximumPrefixes.ipv4 }),
    ...(written.maximumPrefixes?.ipv6 === undefined ? {} : { ipv6: written.maximumPrefixes.ipv6 }),
  },
  ...(written.warnAtPercent === undefined ? {} : { warnAtPercent: written.warnAtPercent }),
  beyond: written.beyond ?? "restart",
  restartAfterSeconds: written.restartAfterSeconds ?? 60,
});

const named = ({
  command,
  timeoutSeconds,
  user,
}: NonNullable<WrittenConfig["checks"]>[string]): NamedCheck => ({
  command,
  timeoutSeconds: timeoutSeconds ?? DEFAULT_CHECK_SECONDS,
  ...(user === undefined ? {} : { user }),
});

/** What the plan is told of this host. kubernetes.io/hostname is the node's name unless the configuration says otherwise. */
export function hostFacts(
  config: AgentConfig,
  hostname: string,
  networks: readonly Prefix[],
  secrets?: HostFacts["secrets"],
): HostFacts {
  return {
    node: config.node.name,
    hostname,
    labels: { "kubernetes.io/hostname": config.node.name, ...config.node.labels },
    defaultEndpoint: config.endpoints.default,
    networks,
    ...(config.receive === undefined ? {} : { receive: config.receive }),
    restartTimeSeconds: config.gracefulRestart.restartTimeSeconds,
    ...(config.kernel.bindAddresses === undefined
      ? {}
      : { bindAddresses: config.kernel.bindAddresses }),
    ...(config.kernel.bindAs === "routes" ? { bindAs: "routes" } : {}),
    ...(secrets === undefined ? {} : { secrets }),
  };
}
