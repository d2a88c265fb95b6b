/**
 * BFD sessions as `bfd`, `status` and `peers` show them: what the plan wants, with what the process says of it.
 *
 * Pure. A session that no process holds is shown as Down, with the reason in its place. Times of the wire are microseconds.
 */
import type { BfdIntent, BfdSessionIntent } from "../../backends/bfd/intent.ts";
import { type BfdStatus, diagnosticText } from "../../backends/bfd/parameters.ts";
import { type BfdKey, bfdKeyParts, type NeighborKey } from "../../events/ids.ts";
import { rfc3339 } from "../../events/log/export.ts";
import type { State } from "../../events/state.ts";
import type { BfdJson } from "../api/bfd-json.ts";
import type { IntentJson } from "../api/intent-json.ts";

/** Turns CLOCK_MONOTONIC microseconds into wall-clock nanoseconds. */
export type WallOfMicros = (monotonicMicros: number) => bigint;

/** `remote` and `local` as text: of an unnumbered neighbour nobody answered from yet only the device is known. */
export function bfdView(
  intent: Pick<BfdSessionIntent, "vrf" | "multihop" | "timing"> & {
    readonly remote: string;
    readonly local: string | undefined;
  },
  status: BfdStatus | undefined,
  problem: string,
  wallOf: WallOfMicros,
): BfdJson {
  return {
    peer: intent.remote,
    vrf: intent.vrf,
    localAddress: intent.local ?? null,
    multihop: intent.multihop,
    state: status?.state ?? "Down",
    diagnostic: status === undefined ? problem : diagnosticText(status.diagnostic),
    localDiscriminator: status?.localDiscriminator ?? 0,
    remoteDiscriminator: status?.remoteDiscriminator ?? 0,
    transmitInterval: Math.round(status?.transmitIntervalMicros ?? 0),
    receiveInterval: Math.round(status?.receiveIntervalMicros ?? 0),
    detectMultiplier: intent.timing.detectMultiplier,
    detectionTime: Math.round(status?.detectionTimeMicros ?? 0),
    echo: status?.echo ?? "off",
    since: status === undefined ? null : rfc3339(wallOf(status.sinceMicros)),
    transitions: status?.transitions ?? 0,
  };
}

export type BfdNow = {
  readonly statuses: ReadonlyMap<BfdKey, BfdStatus>;
  /** What keeps sessions from working; empty where nothing does. */
  readonly problems: readonly string[];
  readonly wallOf: WallOfMicros;
};

/** Each session once, in order of key. */
export const bfdViews = (intent: BfdIntent, now: BfdNow): readonly BfdJson[] =>
  intent.sessions.map((one) => viewOf(one, now));

/** The session that guards each neighbour. */
export const bfdOfNeighbors = (intent: BfdIntent, now: BfdNow): ReadonlyMap<NeighborKey, BfdJson> =>
  new Map(
    intent.sessions.flatMap((one) => one.guards.map((guard) => [guard, viewOf(one, now)] as const)),
  );

const viewOf = (one: BfdSessionIntent, { statuses, problems, wallOf }: BfdNow): BfdJson =>
  bfdView(one, statuses.get(one.key), problems[0] ?? "not asked for yet", wallOf);

/** `at … status`: what the log says of that moment. */
export const recordedBfd = ({ bfd }: State): readonly BfdJson[] =>
  [...(bfd ?? [])].map(([key, one]) => {
    const { vrf, remote, local, multihop } = bfdKeyParts(key);
    return {
      peer: remote,
      vrf,
      localAddress: local === "" ? null : local,
      multihop,
      state: one.state,
      diagnostic: one.diagnostic,
      localDiscriminator: one.discriminator,
      remoteDiscriminator: 0,
      transmitInterval: 0,
      receiveInterval: 0,
      detectMultiplier: 0,
      detectionTime: 0,
      echo: "off",
      since: rfc3339(one.since.wall),
      transitions: one.transitions,
    };
  });

export const bfdIntentView = ({ sessions }: BfdIntent): IntentJson["bfd"] =>
  sessions.map(({ timing, ...one }) => ({
    key: one.key,
    vrf: one.vrf,
    peer: one.remote,
    localAddress: one.local ?? null,
    interface: one.interface === "" ? null : one.interface,
    multihop: one.multihop,
    transmitInterval: timing.transmitIntervalMillis,
    receiveInterval: timing.receiveIntervalMillis,
    detectMultiplier: timing.detectMultiplier,
    echoInterval: timing.echoIntervalMillis ?? null,
    passiveMode: timing.passive,
    minimumTtl: timing.minimumTimeToLive,
    authentication: one.authentication?.type ?? null,
    guards: [...one.guards],
    provenance: [...one.provenance],
  }));
