/**
 * Looks at bfdd's sessions: those that guard neighbours of the intent, in the shape of our own engine's.
 *
 * bfdd itself tells bgpd of a failure, so this is for people and for the log. bfdd has no cheaper answer than the whole (600 octets a
 * session), so how often it is asked follows what that costs. I/O only through daemon.ts. Reads next: bfd-peers.ts.
 */
import { bfdKey, type BfdKey } from "../../../events/ids.ts";
import type { SpeakerBfdFact } from "../../backend.ts";
import type { BfdStatus } from "../../bfd/parameters.ts";
import type { Clock } from "../../clock.ts";
import { type BfdPeer, bfdSeen, type HeldBfd, parseBfdPeers } from "./bfd-peers.ts";
import type { Daemon } from "./daemon.ts";
import { IDLE_MILLIS, paced } from "./rhythm.ts";
import type { Watched } from "./session-watch.ts";

export type BfdWatch = {
  statuses(): ReadonlyMap<BfdKey, BfdStatus>;
  look(): Promise<number>;
  forget(): void;
};

const LEAST_MILLIS = 300;
/** At most one part in a hundred of the time. */
const SHARE = 100;

export type BfdWatchOptions = {
  readonly daemon: Daemon;
  readonly clock: Pick<Clock, "monotonicMillis">;
  readonly watched: () => Iterable<Watched>;
  /** Called after statuses() has changed. */
  readonly tell: (fact: SpeakerBfdFact) => void;
};

export function createBfdWatch({ daemon, clock, watched, tell }: BfdWatchOptions): BfdWatch {
  const held = new Map<BfdKey, HeldBfd>();

  /** Whether sessions came or went. */
  const telling = (act: () => void): void => {
    const before = [...held.keys()].toSorted().join("\n");
    act();
    if ([...held.keys()].toSorted().join("\n") !== before) tell({ type: "sessions" });
  };
  const take = (peers: readonly BfdPeer[]): void => {
    const atMicros = clock.monotonicMillis() * 1000;
    const byName = new Map(peers.flatMap((peer) => namesOf(peer).map((name) => [name, peer])));
    const keys = new Map([...watched()].flatMap(wantedOf));
    for (const key of held.keys()) if (!keys.has(key)) held.delete(key);
    for (const [key, name] of keys) {
      const peer = byName.get(name);
      if (peer === undefined) {
        held.delete(key);
        continue;
      }
      const seen = bfdSeen(held.get(key), key, peer, atMicros);
      held.set(key, seen.held);
      for (const transition of seen.transitions) tell({ type: "transition", transition });
    }
  };

  return {
    statuses: () => new Map([...held].map(([key, { status }]) => [key, status])),
    async look() {
      if (![...watched()].some(({ intent }) => intent.speakerBfd !== undefined)) {
        telling(() => held.clear());
        return IDLE_MILLIS;
      }
      const began = clock.monotonicMillis();
      const [peers, counters] = await Promise.all([
        daemon.ask("show bfd peers json", asText),
        daemon.ask("show bfd peers counters json", asText),
      ]);
      if (peers === undefined || counters === undefined) return LEAST_MILLIS;
      const found = parseBfdPeers(peers, counters);
      if (found !== undefined) telling(() => take(found));
      return paced(clock.monotonicMillis() - began, SHARE, LEAST_MILLIS, IDLE_MILLIS);
    },
    forget() {
      telling(() => held.clear());
    },
  };
}

/** Both halves are read together; an answer that is no JSON list is garbage already here. */
const asText = (text: string): string | undefined => {
  const trimmed = text.trim();
  return trimmed.startsWith("[") && trimmed.endsWith("]") ? trimmed : undefined;
};

const hopsOf = (multihop: boolean): string => (multihop ? "multi" : "single");

/** By address; that of a link-local one by its device, too. */
const namesOf = ({ vrf, remote, interface: device, multihop }: BfdPeer): readonly string[] => [
  `${vrf}|${remote}|${hopsOf(multihop)}`,
  ...(remote.startsWith("fe80:") ? [`${vrf}|${device}|${hopsOf(multihop)}`] : []),
];

function wantedOf({ intent, vrf }: Watched): readonly (readonly [BfdKey, string])[] {
  const { speakerBfd, remote, localAddress } = intent;
  if (speakerBfd === undefined) return [];
  const { multihop } = speakerBfd;
  const [address, device] =
    remote.type === "address" ? [remote.address, ""] : ["", remote.interface];
  const key = bfdKey(vrf, address, localAddress ?? "", device, multihop);
  return [[key, `${vrf}|${address || device}|${hopsOf(multihop)}`]];
}
