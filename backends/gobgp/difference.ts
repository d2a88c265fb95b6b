/**
 * What gobgpd lists against what is wanted: the calls that make it so, in the order in which nothing wrong is ever told.
 *
 * Pure. Names of ours say their content (render/names.ts), so sets and statements are compared by name. What does not bear our
 * name, and neighbours that we did not make, are never touched. Reads next: gobgp-backend.ts (who carries it out).
 */
import type { Unary } from "./api/calls.ts";
import {
  ADMIN_STATE,
  type DefinedSet,
  DIRECTION,
  type ListedPeer,
  type PeerMessage,
  type Policy,
  type PolicyAssignment,
  type Statement,
} from "./api/messages.ts";
import { isOurs, OURS } from "./render/names.ts";
import { isMadeByUs } from "./render/peers.ts";
import { type Policies, POLICIES } from "./render/policies.ts";

/** A set that is in no policy: BGP was started in this gobgpd by us, with the AS and the router id that it has. */
export const STARTED_BY_US = `${OURS}started`;

/** A call with its request, as data. */
export type Call = {
  [K in keyof Unary]: { readonly method: K; readonly request: Unary[K][0] };
}[keyof Unary];

export type ListedPolicies = {
  readonly sets: readonly DefinedSet[];
  readonly statements: readonly Statement[];
  readonly policies: readonly Policy[];
  readonly assignments: readonly PolicyAssignment[];
};

/** Before the paths are told, and after. */
export type PolicyCalls = { readonly before: readonly Call[]; readonly after: readonly Call[] };

export function policyCalls(listed: ListedPolicies, wanted: Policies): PolicyCalls {
  const sets = new Map(
    listed.sets.filter(({ name }) => isOurs(name)).map((one) => [one.name, one]),
  );
  const statements = new Set(listed.statements.map(({ name }) => name));
  const attached = new Map(
    listed.policies.map(({ name, statements: own }) => [name, new Set(own.map((one) => one.name))]),
  );
  const before: Call[] = [];
  const after: Call[] = [];
  for (const [name, set] of wanted.sets) {
    if (!sets.has(name)) before.push({ method: "AddDefinedSet", request: { defined_set: set } });
  }
  const isAny = wanted.statements.size > 0;
  for (const name of [...POLICIES.import, ...POLICIES.export]) {
    const there = attached.get(name);
    const missing = [...wanted.statements.values()]
      .filter((one) => one.policy === name && there?.has(one.statement.name) !== true)
      .map(({ statement }) => statement);
    for (const statement of missing) {
      if (!statements.has(statement.name))
        before.push({ method: "AddStatement", request: { statement } });
    }
    if (missing.length > 0 || (isAny && there === undefined)) {
      const policy = { name, statements: missing.map((one) => ({ name: one.name })) };
      before.push({ method: "AddPolicy", request: { policy, refer_existing_statements: true } });
    }
    const gone = [...(there ?? [])].filter((one) => !wanted.statements.has(one));
    if (gone.length > 0 && isAny) {
      const policy = { name, statements: gone.map((one) => ({ name: one })) };
      after.push({
        method: "DeletePolicy",
        request: { policy, preserve_statements: true, all: false },
      });
    }
  }
  for (const direction of ["import", "export"] as const) {
    const call = assignmentCall(direction, listed.assignments, isAny);
    if (call !== undefined) (isAny ? before : after).push(call);
  }
  if (!isAny) {
    for (const name of [...POLICIES.import, ...POLICIES.export]) {
      if (!attached.has(name)) continue;
      const policy = { name, statements: [] };
      after.push({
        method: "DeletePolicy",
        request: { policy, preserve_statements: true, all: true },
      });
    }
  }
  for (const name of statements) {
    if (!isOurs(name) || wanted.statements.has(name)) continue;
    after.push({ method: "DeleteStatement", request: { statement: { name }, all: true } });
  }
  for (const set of sets.values()) {
    if (wanted.sets.has(set.name) || set.name === STARTED_BY_US) continue;
    const defined_set = { defined_type: set.defined_type, name: set.name, list: [], prefixes: [] };
    after.push({ method: "DeleteDefinedSet", request: { defined_set, all: true } });
  }
  return { before, after };
}

/** gobgpd's name for what holds for all peers. */
const GLOBAL = "global";

/** Ours stand first, in their order; what others put there stays behind them. */
function assignmentCall(
  direction: "import" | "export",
  listed: readonly PolicyAssignment[],
  isAny: boolean,
): Call | undefined {
  const known = listed.find((one) => one.direction === DIRECTION[direction])?.policies ?? [];
  const names = known.map(({ name }) => name);
  const wanted = [...(isAny ? POLICIES[direction] : []), ...names.filter((name) => !isOurs(name))];
  if (wanted.join(" ") === names.join(" ")) return undefined;
  return {
    method: "SetPolicyAssignment",
    request: {
      assignment: {
        name: GLOBAL,
        direction: DIRECTION[direction],
        policies: wanted.map((name) => ({ name })),
      },
    },
  };
}

export type WantedPeer = {
  readonly message: PeerMessage;
  /** Why it shall be shut down; undefined: it shall run. */
  readonly down: string | undefined;
  /** A neighbour of the same address that somebody else made may be replaced. */
  readonly takeOver: boolean;
  /** What shut it down for its number of prefixes does not hold any more. */
  readonly isForgiven: boolean;
};

export type PeerCalls = {
  readonly calls: readonly Call[];
  /** Addresses of neighbours that somebody else made, and that stay as they are. */
  readonly foreign: ReadonlySet<string>;
};

export function peerCalls(
  listed: readonly ListedPeer[],
  wanted: ReadonlyMap<string, WantedPeer>,
): PeerCalls {
  const calls: Call[] = [];
  const foreign = new Set<string>();
  const known = new Map<string, ListedPeer>();
  for (const peer of listed) {
    const address = peer.conf?.neighbor_address ?? "";
    const one = wanted.get(address);
    if (!isMadeByUs(peer.conf?.description ?? "")) {
      if (one === undefined) continue;
      if (one.takeOver) calls.push({ method: "DeletePeer", request: { address } });
      else foreign.add(address);
    } else if (one === undefined || peer.conf?.description !== one.message.conf.description) {
      calls.push({ method: "DeletePeer", request: { address } });
    } else known.set(address, peer);
  }
  for (const [address, { message, down, isForgiven }] of wanted) {
    if (foreign.has(address)) continue;
    const peer = known.get(address);
    if (peer === undefined) calls.push(...additions(message));
    else calls.push(...updates(peer, message));
    const state =
      peer?.state?.admin_state ?? (message.conf.admin_down ? ADMIN_STATE.down : ADMIN_STATE.up);
    if (down !== undefined && state === ADMIN_STATE.up) {
      calls.push({
        method: "DisablePeer",
        request: { address, communication: communication(down) },
      });
    }
    const isShut = state === ADMIN_STATE.down || (state === ADMIN_STATE.prefixLimit && isForgiven);
    if (down === undefined && isShut) {
      calls.push({ method: "EnablePeer", request: { address } });
    }
  }
  return { calls, foreign };
}

/**
 * AddPeer takes no idle hold time, and gobgpd's default keeps a session that ended down for 30 s. An update right behind it
 * replaces all timers, this one by 0; nothing else differs, so it makes nothing anew.
 */
const additions = (peer: PeerMessage): readonly Call[] => [
  { method: "AddPeer", request: { peer } },
  { method: "UpdatePeer", request: { peer } },
];

function updates(listed: ListedPeer, message: PeerMessage): readonly Call[] {
  const timers = listed.timers?.config;
  const { config } = message.timers;
  const isSame =
    timers?.connect_retry === config.connect_retry &&
    timers.keepalive_interval === config.keepalive_interval &&
    message.afi_safis.every(({ config: { family }, prefix_limits: limit }) => {
      const there = listed.afi_safis.find(
        (one) => one.config?.family?.afi === family.afi,
      )?.prefix_limits;
      return (
        (there?.max_prefixes ?? 0) === (limit?.max_prefixes ?? 0) &&
        (there?.shutdown_threshold_pct ?? 0) === (limit?.shutdown_threshold_pct ?? 0)
      );
    });
  if (isSame) return [];
  // Whether it began shut down is a field whose change makes it anew.
  const conf = { ...message.conf, admin_down: listed.conf?.admin_down ?? false };
  return [{ method: "UpdatePeer", request: { peer: { ...message, conf } } }];
}

/** RFC 9003 §2: at most 128 octets, which gobgpd does not look after. */
const COMMUNICATION_OCTETS = 128;

function communication(reason: string): string {
  const octets = new TextEncoder().encode(reason).subarray(0, COMMUNICATION_OCTETS);
  return new TextDecoder().decode(octets).replace(/\uFFFD+$/, "");
}
