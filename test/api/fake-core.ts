/**
 * An agent's core that holds canned answers and notes what it was asked: what the API and the command line are tested on.
 *
 * A plain object in the shape of agent/api/core.ts. Reads next: serve.ts.
 */
import type { BfdJson } from "../../agent/api/bfd-json.ts";
import type {
  ApplyAnswer,
  EnvelopeJson,
  PeerJson,
  ResourceJson,
  RouteJson,
  StatusJson,
  WhyJson,
} from "../../agent/api/contract.ts";
import { noRoutes } from "../../backends/backend.ts";
import type { Figures } from "../../agent/api/figures.ts";
import type { ViewJson } from "../../agent/api/view-json.ts";
import { type ApplyRequest, type Caller, type Core, CoreError } from "../../agent/api/core.ts";

export const time = "2026-01-31T10:00:00.000000001Z";

export const peer: PeerJson = {
  backend: "native",
  name: "tor1",
  address: "192.0.2.1",
  interface: null,
  vrf: "",
  localAs: 64512,
  remoteAs: 64513,
  state: "Established",
  since: time,
  reason: "",
  holdTime: 90,
  keepaliveTime: 30,
  capabilities: ["MP-BGP"],
  bfd: null,
  sent: 1,
  received: 2,
  accepted: 2,
  resets: 0,
  provenance: ["0a1b2c3d4e5f-7"],
};

export const status: StatusJson = {
  node: "host1",
  backend: "native",
  besides: [],
  state: "running",
  logSeq: 3,
  peers: [peer],
  bfd: [],
  daemons: [],
  services: [
    {
      namespace: "default",
      name: "web",
      addresses: [{ address: "203.0.113.10", pool: "metallb.io/IPAddressPool/metallb-system/p" }],
      announced: true,
      reason: "",
      prefixes: ["203.0.113.10/32"],
    },
  ],
  quarantined: [],
  kernel: { routes: 1, held: [], drift: 0, problems: [] },
  notRecording: null,
  fleet: null,
  held: [],
  program: "rutter 0.1.0",
  startedAt: time,
};

const guard: BfdJson = {
  peer: "192.0.2.1",
  vrf: "",
  localAddress: "192.0.2.9",
  multihop: false,
  state: "Up",
  diagnostic: "No Diagnostic",
  localDiscriminator: 1,
  remoteDiscriminator: 2,
  transmitInterval: 300_000,
  receiveInterval: 300_000,
  detectMultiplier: 3,
  detectionTime: 900_000,
  echo: "off",
  since: time,
  transitions: 3,
};

/** One of everything, each number told apart. */
export const figures: Figures = {
  node: "host1",
  backend: "native",
  program: "rutter 0.1.0",
  state: "running",
  ready: true,
  peers: [
    {
      name: "tor1",
      vrf: "",
      state: "Established",
      since: time,
      resets: 4,
      families: {
        ipv4: { sent: 10, received: 12, accepted: 11 },
        ipv6: { sent: 20, received: 22, accepted: 21 },
      },
    },
    { name: 'a "b"\\', vrf: "red", state: "Refused", since: null, resets: 0, families: noRoutes },
  ],
  bfd: [guard],
  kernel: {
    routes: 31,
    held: [
      { rule: "a", reason: "protected", count: 2, example: "10.0.0.0/8" },
      { rule: "b", reason: "protected", count: 3, example: "10.0.0.0/8" },
    ],
    drift: 32,
    problems: [{ entry: "address 192.0.2.1/32 dev lo", reason: "EPERM" }],
  },
  fleet: {
    name: "berlin",
    connected: true,
    generation: 71,
    lag: 72,
    verdicts: [{ generation: 70, rule: "scope", reason: "beyond" }],
    left: [],
    diverged: { reason: "another history", resources: [] },
  },
  services: { all: 40, announced: 39 },
  endpoints: { healthy: 41, unhealthy: 42 },
  quarantined: 43,
  held: 44,
  manifestProblems: 45,
  applies: {
    durations: { boundsSeconds: [0.001, 0.01], counts: [5, 2], count: 8, sumSeconds: 1.5 },
    failures: 51,
    pending: true,
  },
  log: { head: 60, octets: 61_000, commits: 62, facts: 63, lost: 64, recording: false },
};

export const applied: ApplyAnswer = {
  outcome: "applied",
  dryRun: false,
  seq: 3,
  resources: [
    {
      kind: "BGPPeer",
      apiVersion: "metallb.io/v1beta2",
      namespace: "metallb-system",
      name: "peer1",
      result: "created",
      seq: 2,
      notes: ["accepted, not carried yet: BFD (spec.bfdProfile)"],
    },
  ],
  complaints: [],
  notCarried: [],
  warnings: [],
};

export const refused: ApplyAnswer = {
  ...applied,
  outcome: "refused",
  seq: null,
  resources: [],
  complaints: [
    {
      file: "peer.yaml",
      line: 7,
      column: 3,
      field: "spec.peerASN",
      rule: "out-of-range",
      message: "0 is not an AS number: write 1 to 4294967295",
      severity: "error",
    },
  ],
};

export const resource: ResourceJson = {
  apiVersion: "metallb.io/v1beta2",
  kind: "BGPPeer",
  metadata: { name: "peer1", namespace: "metallb-system" },
  spec: { holdTime: "90s", text: "yes: no" },
  status: {
    owner: "cli",
    seq: 2,
    state: "accepted",
    rule: "",
    reason: "",
    notCarried: [{ field: "spec.bfdProfile", reason: "not carried yet: BFD" }],
  },
};

export const view: ViewJson = {
  apiVersion: "frrk8s.metallb.io/v1beta1",
  kind: "BGPSessionState",
  metadata: { name: "host-1-10.0.0.1", namespace: "frr-k8s-system", labels: {} },
  spec: {},
  status: { bgpStatus: "Established", bfdStatus: "Up", node: "host-1", peer: "10.0.0.1", vrf: "" },
};

export const why: WhyJson = {
  prefix: "203.0.113.10/32",
  peer: "tor1",
  announced: true,
  chain: [
    {
      step: "manifest",
      subject: "/Service/default/web",
      verdict: "ok",
      reason: "applied by root",
      seq: 2,
    },
  ],
};

export const route = (index: number): RouteJson => ({
  prefix: `10.${(index >> 8) & 255}.${index & 255}.0/24`,
  peer: "tor1",
  vrf: "",
  pathId: 0,
  nextHop: "192.0.2.1",
  asPath: "64513 64514",
  origin: "igp",
  localPref: null,
  med: 5,
  communities: ["64513:1"],
  largeCommunities: [],
  accepted: false,
  best: null,
  reason: "nothing is received from this peer",
  age: null,
  provenance: [],
});

export const fact = (seq: number): EnvelopeJson => ({
  seq,
  id: `0a1b2c3d4e5f-${seq}`,
  at: time,
  monotonic: "12345678901234567890",
  boot: "b",
  run: "0a1b2c3d4e5f",
  type: "session-observed",
  version: 1,
  subject: "metallb.io/BGPPeer/metallb-system/peer1",
  actor: { type: "user", uid: 0, name: "root" },
  source: { name: "cli" },
  cause: [],
  body: { state: "Idle", reason: "wrong AS" },
  hash: "00",
});

export type FakeCore = Core & {
  readonly asked: unknown[];
  /** Adds a fact, as a commit would. */
  commit(): void;
  /** Routes that were handed out so far, and whether the walk was ended. */
  readonly walk: { taken: number; ended: boolean };
  applyAnswer: ApplyAnswer;
  currentStatus: StatusJson;
  currentFigures: Figures;
  isReady: boolean;
};

export function fakeCore(routeCount = 3): FakeCore {
  const asked: unknown[] = [];
  const followers = new Set<(head: number) => void>();
  const walk = { taken: 0, ended: false };
  let head = 3;
  const core: FakeCore = {
    asked,
    walk,
    applyAnswer: applied,
    currentStatus: status,
    currentFigures: figures,
    isReady: true,
    commit() {
      head += 1;
      for (const follower of followers) follower(head);
    },
    async apply(request: ApplyRequest, caller: Caller) {
      asked.push({ request, caller });
      return core.applyAnswer;
    },
    async delete(request, caller) {
      asked.push({ request, caller });
      return core.applyAnswer;
    },
    async plan({ backend }) {
      return {
        outcome: "planned",
        shadow:
          backend === undefined
            ? null
            : {
                backend,
                running: "native",
                neighbors: [{ peer: "tor1", effect: "hitless", fields: ["speakerBfd"] }],
                notOpened: [{ peer: "tor3", reason: "it has no unnumbered" }],
                warnings: ["bgpd does not answer"],
              },
        peers: [{ peer: "tor1", add: ["203.0.113.10/32"], change: [], remove: [] }],
        resets: ["tor2"],
        quarantined: [],
        kernel: { add: ["address 203.0.113.10 dev lo"], remove: [] },
        speaker: { add: ["EVPN of VRF red"], change: [], remove: [] },
        notCarried: [],
        warnings: [],
        held: null,
        resources: [],
        complaints: [],
      };
    },
    async confirm(what, caller) {
      asked.push({ what, caller });
      return { outcome: "confirmed", confirmed: ["plan"], seq: 4 };
    },
    get({ kind, name }) {
      if (kind === "bug") throw new Error("a bug, planted");
      if (name === "nobody") throw new CoreError("NOT_FOUND", `there is no ${kind} nobody`);
      return [resource];
    },
    views({ kind, name }) {
      core.asked.push({ views: { kind, name } });
      return Promise.resolve([view]);
    },
    intent: () => ({
      routers: [],
      raw: [],
      kernel: { entries: [], rules: [], exports: [] },
      bfd: [],
    }),
    status: () => core.currentStatus,
    peers: () => core.currentStatus.peers,
    bfd: async () => core.currentStatus.bfd,
    async *routes(query) {
      if (query.peer === "nobody") throw new CoreError("NOT_FOUND", "there is no peer nobody");
      try {
        for (let index = 0; index < routeCount; index += 1) {
          walk.taken += 1;
          yield route(index);
        }
      } finally {
        walk.ended = true;
      }
    },
    why: (subject) => {
      asked.push(subject);
      return why;
    },
    *log({ from = 1, to = head, last }) {
      const first = last === undefined ? from : Math.max(from, to - last + 1);
      for (let seq = first; seq <= Math.min(to, head); seq += 1) yield fact(seq);
    },
    head: () => head,
    logFile: () => "/nowhere/log.db",
    followLog(listener) {
      followers.add(listener);
      return () => followers.delete(listener);
    },
    statusAt: (moment) => {
      asked.push(moment);
      return { seq: 2, at: time, status: { ...status, logSeq: 2 } };
    },
    resourcesAt: (moment, query) => {
      asked.push({ moment, query });
      return { seq: 2, at: time, resources: [resource] };
    },
    doctor: async () => [
      {
        check: "listener",
        ok: false,
        severity: "error",
        detail: "port 179 is taken",
        fix: "ss -lntp",
      },
    ],
    figures: () => core.currentFigures,
    ready: () =>
      core.isReady
        ? { ok: true, reason: "" }
        : { ok: false, reason: "the first plan is not applied yet" },
  };
  return core;
}
