/**
 * The publisher's end of the feed: reads what the fleet's state is, and puts the next change set behind it.
 *
 * The state is folded from the stream each time, by the hosts' own rules (fleet-state.ts); nothing of it is kept here, so any
 * number of publishers may be at work. Each part is published only behind the message that was read last: who loses that race
 * reads on, decides anew and tries again. A message that is lost on the way and may have arrived is looked for, never sent
 * blindly. Reads next: bases.ts, ../fleet-state.ts.
 */
import type { Clock } from "../../../backends/clock.ts";
import type { ResourceKey } from "../../../events/ids.ts";
import {
  type Allocated,
  type ChangeSet,
  decodeSet,
  digestOf,
  encodeSet,
  type Put,
  type Refused,
  refusedFor,
} from "../change-set.ts";
import {
  baseOf,
  type FleetState,
  foldSet,
  headOf,
  type NextSet,
  nextSet,
  noFleetState,
} from "../fleet-state.ts";
import { aheadRefusal, type HostGeneration } from "../ahead.ts";
import { HEADERS, type SignedOctets, splitSet, verifySigned } from "../parts.ts";
import type { Signer } from "../signing.ts";
import { fleetNames } from "../subjects.ts";
import { isTrusted, type TrustRule } from "../trust.ts";
import { backoffMillis, pause } from "./backoff.ts";
import { type FeedItem, newestBase, readToEnd } from "./bases.ts";
import { type FleetConnection, FleetError, type FleetErrorCode } from "./connection.ts";

/** Something in the stream that is not a part of the state, for whoever wants to know. */
export type Passed = { readonly sequence: number; readonly rule: string; readonly reason: string };

export type FleetView = {
  readonly state: FleetState;
  readonly passed: readonly Passed[];
};

export type Change = { readonly puts: readonly Put[]; readonly deletes: readonly ResourceKey[] };

export type Published =
  | Exclude<NextSet, { readonly type: "set" }>
  | (Extract<NextSet, { readonly type: "set" }> & {
      readonly digest: string;
      /** Of the last part in the stream; undefined: nothing was published (`dryRun`). */
      readonly sequence: number | undefined;
    });

export type Publisher = {
  /** Makes the fleet's streams and buckets where they are missing. */
  ensureStreams(replicas: number): Promise<void>;
  /** What is in force as of the stream's end. Rejects with FleetError. */
  read(): Promise<FleetView>;
  /**
   * Brings the fleet's state to `change`, which is asked anew after each lost race. Resolves when the stream has it and it was
   * read back. Rejects with FleetError.
   */
  publish(change: (state: FleetState) => Change, dryRun: boolean): Promise<Published>;
  /** Says everything that is in force, as of the stream's end; false: another message came first. */
  writeBase(): Promise<boolean>;
  /**
   * Begins a new history: a base of this generation, which must be above that of every host, with these manifests and addresses.
   * For a stream that was lost. What hosts have besides stays until it is confirmed there. False: another message came first.
   */
  rebase(
    generation: number,
    puts: readonly Put[],
    allocations: readonly Allocated[],
  ): Promise<boolean>;
};

export type PublisherParts = {
  readonly fleet: string;
  readonly connection: FleetConnection;
  readonly signer: Signer;
  /** Whose sets make the state: the hosts' own rules, as far as they name signers, kinds and namespaces. */
  readonly trust: readonly TrustRule[];
  /** Name of the consumer that reads: one that no other publisher has. */
  readonly consumer: string;
  readonly clock: Clock;
  /**
   * What hosts say that they have: a set below that of any of them is refused (`hosts-ahead`). undefined: nobody is asked, and
   * hosts of another history diverge. Rejects with FleetError.
   */
  readonly heard?: (() => Promise<readonly HostGeneration[]>) | undefined;
  /** Until it is aborted a server that is away is waited for. */
  readonly signal: AbortSignal;
};

/** A newcomer reads at most so many sets behind a base. */
const BASE_AFTER_SETS = 100;
/** And not much more octets behind it than it has itself; below this nobody counts. */
const BASE_AFTER_OCTETS = 1024 * 1024;
/** What another attempt may find otherwise. */
const PASSING: ReadonlySet<FleetErrorCode> = new Set([
  "FLEET_NOT_CONNECTED",
  "FLEET_NO_ANSWER",
  "FLEET_READING_ENDED",
]);
/** Hosts say who they are every second where their bucket was lost; nobody begins a history before they could. */
const SILENCE_MILLIS = 5000;
/** Each lost race means that another publisher won it. */
const ATTEMPTS = 100;

type Reading = {
  state: FleetState;
  passed: Passed[];
  /** The stream's last sequence, as far as it was read. */
  last: number;
  /** The highest generation that a trusted signer's set has. */
  newest: number;
  /** Since the newest base. */
  sets: number;
  octets: number;
  baseOctets: number;
};

export function createPublisher(parts: PublisherParts): Publisher {
  const { fleet, connection, signer, trust, consumer, clock, signal } = parts;
  const names = fleetNames(fleet);
  let reading: Reading | undefined;
  let created = "";
  /** The stream that no host is ahead of; what follows there is ours or another publisher's. */
  let guarded = "";

  /** Again where the server or a leader of the cluster was away for a moment. */
  const patiently = async <T>(act: () => Promise<T>): Promise<T> => {
    for (let attempt = 0; ; attempt += 1) {
      try {
        await connection.connected(signal);
        return await act();
      } catch (error) {
        const passes = error instanceof FleetError && PASSING.has(error.code);
        if (!passes || signal.aborted) throw error;
        await pause(clock, backoffMillis(Math.min(attempt, 3), clock.random()), signal);
      }
    }
  };

  const take = (into: Reading, item: FeedItem): void => {
    const { sequence } = item;
    const pass = (rule: string, reason: string): void => {
      into.passed.push({ sequence, rule, reason });
    };
    if (item.type === "unreadable") return pass(item.rule, item.reason);
    const verified = verifiedSet(item.signed, fleet, trust);
    if (!verified.ok) return pass(verified.rule, verified.reason);
    const { set } = verified;
    const { digest, signer: by, octets } = item.signed;
    const position = { stream: names.feedStream, created, sequence };
    const { generation } = headOf(into.state);
    const { state, result } = foldSet(into.state, { set, digest, signer: by, position }, trust);
    into.state = state;
    into.newest = Math.max(into.newest, set.generation);
    if (set.type === "base" && set.generation >= generation) {
      Object.assign(into, { sets: 0, octets: 0, baseOctets: octets.length });
    } else if (set.type === "change") {
      into.sets += 1;
      into.octets += octets.length;
    }
    if (result.type === "diverged") pass("diverged", result.reason);
    else if (result.type === "refused") pass(result.rule, result.reason);
  };

  /** Reads on, or from the newest base, or all of the stream where a generation is missing behind it. */
  const readOn = (): Promise<Reading> =>
    patiently(async () => {
      try {
        return await readOnce();
      } catch (error) {
        // What was half read, and joined of parts that are gone, is read anew.
        reading = undefined;
        throw error;
      }
    });
  const readOnce = async (): Promise<Reading> => {
    const info = await connection.streamInfo(names.feedStream);
    if (info.created !== created) reading = undefined;
    created = info.created;
    if (reading === undefined || info.lastSequence < reading.last) {
      const begun = await begin();
      if (await readFrom(begun, info.lastSequence)) return (reading = begun);
    } else if (await readFrom(reading, info.lastSequence)) return reading;
    const whole = fresh();
    if (await readFrom(whole, info.lastSequence)) return (reading = whole);
    const { generation } = headOf(whole.state);
    throw new FleetError(
      "FLEET_REFUSED",
      `the stream goes on after generation ${generation} with one that is missing, and no base stands behind it: rutter fleet rebase`,
    );
  };
  const fresh = (): Reading => ({
    state: noFleetState(fleet),
    passed: [],
    last: 0,
    newest: 0,
    sets: 0,
    octets: 0,
    baseOctets: 0,
  });
  const begin = async (): Promise<Reading> => {
    const begun = fresh();
    const base = await newestBase(connection, names);
    if (base === undefined) return begun;
    take(begun, base);
    // What is no base for us: the whole stream says what is in force.
    if (headOf(begun.state).generation === 0) return fresh();
    begun.last = base.sequence;
    return begun;
  };
  /** False where a generation is missing in the end. */
  const readFrom = async (into: Reading, lastSequence: number): Promise<boolean> => {
    if (into.last < lastSequence) {
      await readToEnd(connection, {
        stream: names.feedStream,
        consumer,
        from: into.last + 1,
        onItem: (item) => {
          take(into, item);
        },
        onMessage: (sequence) => {
          into.last = sequence;
        },
      });
    }
    // A reading comes from one server of a cluster, which may not have all of it yet: what it lacks is no reason to decide without.
    if (
      into.last < lastSequence &&
      into.last < (await connection.newestSequence(names.feedStream))
    ) {
      throw new FleetError("FLEET_READING_ENDED", "the server that was read is behind the stream");
    }
    // Messages that were removed count as well: the server compares with the last one that it ever had.
    into.last = Math.max(into.last, lastSequence);
    return into.newest <= headOf(into.state).generation;
  };

  /**
   * Puts a set behind what was read, part behind part. False where somebody was faster, or where no answer came and only the
   * stream can tell.
   */
  const send = async (into: Reading, set: ChangeSet): Promise<boolean> => {
    const octets = encodeSet(set);
    const messages = splitSet(octets, signer, connection.maxPayload());
    const begin = String(into.last + 1);
    let sequence = into.last;
    try {
      for (const { headers, body } of messages) {
        const sent = await connection.publish({
          stream: names.feedStream,
          subject: set.type === "base" ? names.bases : names.changes,
          body,
          headers: { ...headers, [HEADERS.first]: begin },
          expected: sequence,
        });
        ({ sequence } = sent);
      }
    } catch (error) {
      if (!(error instanceof FleetError)) throw error;
      const isOpen = error.code === "FLEET_SEQUENCE_MOVED" || PASSING.has(error.code);
      if (!isOpen) throw error;
      return false;
    }
    // Nothing stands between: it need not be read back.
    const [first] = messages;
    const signature = Buffer.from(first?.headers[HEADERS.signature] ?? "", "base64url");
    const { publicKey } = signer;
    const signed = { octets, digest: digestOf(octets), signer: publicKey, signature };
    take(into, { type: "set", signed, sequence });
    into.last = sequence;
    return true;
  };

  const writeBase = async (): Promise<boolean> => {
    const now = await readOn();
    return send(now, baseOf(now.state));
  };
  const isBaseDue = ({ sets, octets, baseOctets }: Reading): boolean =>
    sets >= BASE_AFTER_SETS || octets > Math.max(BASE_AFTER_OCTETS, baseOctets);

  return {
    async ensureStreams(replicas) {
      const { feedStream, changes, bases, auditStream, auditSubjects } = names;
      await patiently(async () => {
        await connection.ensureStream({ name: feedStream, subjects: [changes, bases], replicas });
        await connection.ensureStream({ name: auditStream, subjects: auditSubjects, replicas });
        await connection.ensureBucket({ name: names.statusBucket, replicas });
        await connection.ensureBucket({ name: names.readersBucket, replicas });
      });
    },
    async read() {
      const { state, passed } = await readOn();
      return { state, passed };
    },
    writeBase,
    async publish(change, dryRun) {
      for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
        // What was read last is very likely the end still; where it is not, the stream refuses what was decided on it.
        const known = attempt === 0 && !dryRun ? reading : undefined;
        const before = known ?? (await readOn());
        if (guarded !== created) {
          const behind = await hostsAhead();
          if (behind !== undefined) return { type: "refused", refusals: [behind] };
          continue;
        }
        const { puts, deletes } = change(before.state);
        const next = nextSet(before.state, puts, deletes);
        if (next.type !== "set" && known !== undefined) continue;
        if (next.type !== "set") return next;
        const octets = encodeSet(next.set);
        const digest = digestOf(octets);
        const refusal = refusalOf(before.state, next.set, digest);
        if (refusal !== undefined) return { type: "refused", refusals: [refusal] };
        if (dryRun) return { ...next, digest, sequence: undefined };
        const isSent = await send(before, next.set);
        const now = isSent ? before : await readOn();
        if (now.state.digests.get(String(next.set.generation)) === digest) {
          const { last: sequence } = now;
          if (isBaseDue(now)) await writeBase();
          return { ...next, digest, sequence };
        }
        await pause(clock, backoffMillis(Math.min(attempt, 3), clock.random()), signal);
      }
      throw new FleetError("FLEET_REFUSED", `other publishers were faster ${ATTEMPTS} times`);
    },
    async rebase(generation, puts, allocations) {
      await patiently(() => connection.streamInfo(names.feedStream));
      const { lastSequence: last } = await connection.streamInfo(names.feedStream);
      const plain = { type: "base", fleet, generation, puts, deletes: [], allocations } as const;
      // Nothing stood before it: what the next set names is the digest of what it says itself.
      const previous = digestOf(encodeSet({ ...plain, previous: "" }));
      reading = undefined;
      return send({ ...fresh(), last }, { ...plain, previous });
    },
  };

  /** Hosts are asked before the stream is read: what they have of it is in it by then. */
  async function hostsAhead(): Promise<ReturnType<typeof aheadRefusal>> {
    const { heard } = parts;
    const ask = heard && ((): Promise<Heard> => patiently(() => unlessForbidden(heard)));
    let words = await ask?.();
    const { generation } = headOf((await readOn()).state);
    if (ask !== undefined && generation === 0 && words?.length === 0) {
      await pause(clock, SILENCE_MILLIS, signal);
      words = await ask();
    }
    const refusal = aheadRefusal(words, generation);
    if (refusal === undefined) guarded = created;
    return refusal;
  }

  /** By the fleet's own rules: a set that is refused would only take a generation. */
  function refusalOf(state: FleetState, set: ChangeSet, digest: string) {
    const position = { stream: names.feedStream, created, sequence: 0 };
    const { result } = foldSet(state, { set, digest, signer: signer.publicKey, position }, trust);
    return result.type === "refused" ? { rule: result.rule, message: result.reason } : undefined;
  }
}

type Heard = readonly HostGeneration[] | "forbidden";

async function unlessForbidden(act: () => Promise<Heard>): Promise<Heard> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof FleetError && error.code === "FLEET_FORBIDDEN") return "forbidden";
    throw error;
  }
}

/** What a host asks as well, before it looks at what a set holds. */
function verifiedSet(
  signed: SignedOctets,
  fleet: string,
  trust: readonly TrustRule[],
): { readonly ok: true; readonly set: ChangeSet } | Refused {
  if (!isTrusted(trust, signed.signer)) {
    return refusedFor("signer", `${signed.signer} is no signer that is trusted here`);
  }
  if (!verifySigned(signed)) {
    return refusedFor("signature", `its signature is not that of ${signed.signer}`);
  }
  const decoded = decodeSet(signed.octets);
  return decoded.ok && decoded.set.fleet !== fleet
    ? refusedFor("fleet", `it is of fleet ${decoded.set.fleet}`)
    : decoded;
}
