/**
 * `/metrics`: the figures as Prometheus reads them. The one door of prom-client, loaded with the first scrape.
 *
 * Each scrape makes its own registry out of figures that were gathered for it: nothing is counted here and nothing is kept.
 * Labels are bounded by peers and sessions, never by prefixes. Names follow Prometheus' conventions: a unit at the end, `_total`
 * for what only grows. Reads next: figures.ts (what the numbers mean), docs/prometheus-alerts.yaml (what to do about them).
 */
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { BfdJson } from "./bfd-json.ts";
import { SessionStateJson } from "./contract.ts";
import type { Durations, Figures } from "./figures.ts";

export const METRICS_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

type Labels = Readonly<Record<string, string>>;
type Sample = readonly [value: number, labels?: Labels];

const STATES = [
  "starting",
  "running",
  "held",
  "degraded",
  "stopping",
  "stopped",
] as const satisfies readonly Figures["state"][];
const FAMILIES = ["ipv4", "ipv6"] as const;

/** What the process itself costs, as the kernel and V8 count it. */
export type ProcessFigures = {
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  readonly heapBytes: number;
  /** Seconds since 1970. */
  readonly startedSeconds: number;
};

export function processFigures(): ProcessFigures {
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed } = process.memoryUsage();
  return {
    cpuSeconds: (user + system) / 1e6,
    residentBytes: rss,
    heapBytes: heapUsed,
    startedSeconds: Math.round(Date.now() / 1000 - process.uptime()),
  };
}

export function metricsText(figures: Figures, own: ProcessFigures): Promise<string> {
  const page = openPage();
  addAgent(page, figures, own);
  addPeers(page, figures.peers);
  addBfd(page, figures.bfd);
  addKernel(page, figures.kernel);
  addFleet(page, figures.fleet);
  addPlan(page, figures);
  addApplies(page, figures.applies);
  addLog(page, figures.log);
  return page.text();
}

type Page = ReturnType<typeof openPage>;

function openPage() {
  const registers = [new Registry()];
  const labelNames = (samples: readonly Sample[]): string[] => Object.keys(samples[0]?.[1] ?? {});
  return {
    gauge(name: string, help: string, ...samples: readonly Sample[]): void {
      const metric = new Gauge({ name, help, labelNames: labelNames(samples), registers });
      for (const [value, labels] of samples) metric.set({ ...labels }, value);
    },
    /** Of something that only grows within one run. */
    counter(name: string, help: string, ...samples: readonly Sample[]): void {
      const metric = new Counter({ name, help, labelNames: labelNames(samples), registers });
      for (const [value, labels] of samples) metric.inc({ ...labels }, value);
    },
    histogram(name: string, help: string, durations: Durations): void {
      registers[0]?.registerMetric(new Told(name, help, durations));
    },
    text: (): Promise<string> => registers[0]?.metrics() ?? Promise.resolve(""),
  };
}

/** A histogram that was counted elsewhere: prom-client's own takes one observation after the other. */
class Told extends Histogram {
  readonly #durations: Durations;
  readonly #told: { readonly name: string; readonly help: string };
  constructor(name: string, help: string, durations: Durations) {
    super({ name, help, buckets: [...durations.boundsSeconds], registers: [] });
    this.#durations = durations;
    this.#told = { name, help };
  }
  override async get() {
    const { boundsSeconds, counts, count, sumSeconds } = this.#durations;
    const { name, help } = this.#told;
    let sum = 0;
    const buckets = [...boundsSeconds, "+Inf"].map((le, i) => {
      sum += counts[i] ?? 0;
      const value = le === "+Inf" ? count : sum;
      return { metricName: `${name}_bucket`, labels: { le }, value, exemplar: null };
    });
    const whole = (part: string, value: number) => ({
      metricName: `${name}_${part}`,
      labels: {},
      value,
      exemplar: null,
    });
    const values = [...buckets, whole("sum", sumSeconds), whole("count", count)];
    return { name, help, type: "histogram", values, aggregator: "sum" } as never;
  }
  /** What a Registry asks for where it is there. */
  getForPromString = () => this.get();
}

const flag = (value: boolean): number => (value ? 1 : 0);

function addAgent(page: Page, figures: Figures, own: ProcessFigures): void {
  const { node, backend, program: version } = figures;
  page.gauge("rutter_info", "Always 1; its labels say which agent this is.", [
    1,
    { node, backend, version },
  ]);
  page.gauge(
    "rutter_state",
    "1 for the state that the agent is in, as rutter status shows it.",
    ...STATES.map((state): Sample => [flag(state === figures.state), { state }]),
  );
  page.gauge("rutter_ready", "1 once the first plan was applied, as /readyz says.", [
    flag(figures.ready),
  ]);
  page.counter(
    "process_cpu_seconds_total",
    "Processor time of the agent's process, user and system.",
    [own.cpuSeconds],
  );
  page.gauge("process_resident_memory_bytes", "Resident memory of the agent's process.", [
    own.residentBytes,
  ]);
  page.gauge("process_start_time_seconds", "Start of the agent's process, seconds since 1970.", [
    own.startedSeconds,
  ]);
  page.gauge("rutter_heap_used_bytes", "JavaScript heap in use, of the main thread.", [
    own.heapBytes,
  ]);
}

function addPeers(page: Page, peers: Figures["peers"]): void {
  const of = ({ name: peer, vrf }: { name: string; vrf: string }) => ({ peer, vrf });
  page.gauge(
    "rutter_peer_up",
    "1 where the BGP session is Established.",
    ...peers.map((one): Sample => [flag(one.state === "Established"), of(one)]),
  );
  page.gauge(
    "rutter_peer_state",
    "1 for the state of the BGP session; Refused: it is not opened, rutter peers says why.",
    ...peers.flatMap((one) =>
      SessionStateJson.options.map((state): Sample => [
        flag(state === one.state),
        { ...of(one), state },
      ]),
    ),
  );
  page.gauge(
    "rutter_peer_state_since_timestamp_seconds",
    "When the session came into its state, seconds since 1970.",
    ...peers.flatMap((one): Sample[] =>
      one.since === null ? [] : [[Date.parse(one.since) / 1000, of(one)]],
    ),
  );
  page.counter(
    "rutter_peer_resets_total",
    "Times an Established session went down.",
    ...peers.map((one): Sample => [one.resets, of(one)]),
  );
  const routes = (of_: "sent" | "received" | "accepted"): readonly Sample[] =>
    peers.flatMap((one) =>
      FAMILIES.map((family): Sample => [one.families[family][of_], { ...of(one), family }]),
    );
  page.gauge(
    "rutter_peer_routes_received",
    "Prefixes that the peer announces, before policy; with FRR those past it.",
    ...routes("received"),
  );
  page.gauge(
    "rutter_peer_routes_accepted",
    "Prefixes of the peer that passed policy.",
    ...routes("accepted"),
  );
  page.gauge(
    "rutter_peer_routes_advertised",
    "Prefixes that the peer was told.",
    ...routes("sent"),
  );
}

function addBfd(page: Page, sessions: Figures["bfd"]): void {
  type Session = Pick<BfdJson, "peer" | "vrf" | "localAddress">;
  const of = ({ peer, vrf, localAddress }: Session) => ({
    peer_address: peer,
    vrf,
    local_address: localAddress ?? "",
  });
  page.gauge(
    "rutter_bfd_session_up",
    "1 where the BFD session is Up.",
    ...sessions.map((one): Sample => [flag(one.state === "Up"), of(one)]),
  );
  page.counter(
    "rutter_bfd_session_transitions_total",
    "Changes of the BFD session's state.",
    ...sessions.map((one): Sample => [one.transitions, of(one)]),
  );
}

function addKernel(page: Page, kernel: Figures["kernel"]): void {
  if (kernel === null) return;
  const held = new Map<string, number>();
  for (const { reason, count } of kernel.held) held.set(reason, (held.get(reason) ?? 0) + count);
  page.gauge("rutter_kernel_routes", "Learned routes that are in the kernel.", [kernel.routes]);
  page.gauge(
    "rutter_kernel_routes_held",
    "Routes that an import or export rule holds back, by the reason.",
    ...[...held].map(([reason, count]): Sample => [count, { reason }]),
  );
  page.counter("rutter_kernel_drift_total", "Times that others changed what is ours.", [
    kernel.drift,
  ]);
  page.gauge("rutter_kernel_problems", "Own entries that the kernel does not take.", [
    kernel.problems.length,
  ]);
}

function addFleet(page: Page, fleet: Figures["fleet"]): void {
  if (fleet === null) return;
  const of = { fleet: fleet.name };
  page.gauge("rutter_fleet_connected", "1 where a NATS server of the fleet answers.", [
    flag(fleet.connected),
    of,
  ]);
  page.gauge("rutter_fleet_generation", "Generation of the newest change set here.", [
    fleet.generation,
    of,
  ]);
  page.gauge(
    "rutter_fleet_lag_messages",
    "Messages of the feed that are not handled yet; absent while that is not known.",
    ...(fleet.lag === null ? [] : [[fleet.lag, of] as const]),
  );
  page.gauge(
    "rutter_fleet_refused_generation",
    "Generation of the newest change set that was refused here; 0: none was.",
    [fleet.verdicts.at(-1)?.generation ?? 0, of],
  );
  page.gauge("rutter_fleet_left_resources", "What the fleet wants and another owner here has.", [
    fleet.left.length,
    of,
  ]);
  page.gauge("rutter_fleet_diverged", "1 where this host does not follow the fleet's history.", [
    flag(fleet.diverged !== null),
    of,
  ]);
}

function addPlan(page: Page, figures: Figures): void {
  const { services, endpoints } = figures;
  page.gauge("rutter_services", "Services that this host plans for.", [services.all]);
  page.gauge("rutter_services_announced", "Services that are announced.", [services.announced]);
  page.gauge(
    "rutter_endpoints",
    "Checked endpoints on this host, by their health.",
    [endpoints.healthy, { health: "healthy" }],
    [endpoints.unhealthy, { health: "unhealthy" }],
  );
  page.gauge("rutter_quarantined_resources", "Resources set aside for a conflict.", [
    figures.quarantined,
  ]);
  page.gauge("rutter_held", "What waits for rutter confirm.", [figures.held]);
  page.gauge("rutter_manifest_problems", "Manifests that could not be read or taken.", [
    figures.manifestProblems,
  ]);
}

function addApplies(page: Page, { durations, failures, pending }: Figures["applies"]): void {
  page.histogram(
    "rutter_apply_duration_seconds",
    "From the commit of a change until the speaker had it.",
    durations,
  );
  page.counter("rutter_apply_failures_total", "Applies that the speaker did not take.", [failures]);
  page.gauge("rutter_apply_pending", "1 where the speaker does not have all that is planned.", [
    flag(pending),
  ]);
}

function addLog(page: Page, log: Figures["log"]): void {
  page.gauge("rutter_log_head_seq", "Seq of the newest fact in the log.", [log.head]);
  page.gauge("rutter_log_size_bytes", "Size of the log's database on disk.", [log.octets]);
  page.counter("rutter_log_commits_total", "Commits to the log.", [log.commits]);
  page.counter("rutter_log_facts_total", "Facts recorded.", [log.facts]);
  page.counter("rutter_log_lost_facts_total", "Facts that the disk refused.", [log.lost]);
  page.gauge("rutter_log_recording", "0 where facts are not recorded, for the disk refuses them.", [
    flag(log.recording),
  ]);
}
