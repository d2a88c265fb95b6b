/**
 * BFD of the speaker's own → profiles in bfdd.
 *
 * Pure. bgpd asks bfdd for the sessions itself and chooses between single hop and multihop; we only say how fast. A profile is one
 * for all neighbours that name it: echo is what those on the link want, the lowest TTL what those behind hops do.
 */
import type { SpeakerBfd, SpeakerIntent } from "../../intent.ts";
import { type ConfigTree, leaves, NO_LINES } from "../config/tree.ts";
import { profileName } from "./names.ts";

/** What bfdd leaves out of its configuration (bfdd/bfd.h). */
const DEFAULTS = { multiplier: 3, intervalMillis: 300, echoMillis: 50, minimumTtl: 254 };

export function renderBfd(intent: SpeakerIntent): ConfigTree {
  const byProfile = new Map<string, SpeakerBfd[]>();
  for (const { neighbors } of intent.routers) {
    for (const { speakerBfd } of neighbors) {
      if (speakerBfd === undefined) continue;
      const name = profileName(speakerBfd.profile);
      const known = byProfile.get(name);
      if (known === undefined) byProfile.set(name, [speakerBfd]);
      else known.push(speakerBfd);
    }
  }
  if (byProfile.size === 0) return NO_LINES;
  const profiles = [...byProfile].map(
    ([name, users]) => [`profile ${name}`, leaves(profileLines(users))] as const,
  );
  return new Map([["bfd", new Map(profiles)]]);
}

function profileLines(users: readonly SpeakerBfd[]): string[] {
  const [{ timing } = { timing: undefined }] = users;
  if (timing === undefined) return [];
  const far = users.find(({ multihop }) => multihop)?.timing.minimumTimeToLive;
  const minimumTtl = Math.min(far ?? DEFAULTS.minimumTtl, DEFAULTS.minimumTtl);
  const echo = users.find(({ multihop }) => !multihop)?.timing.echoIntervalMillis;
  return [
    ...unless(DEFAULTS.multiplier, timing.detectMultiplier, "detect-multiplier"),
    ...unless(DEFAULTS.intervalMillis, timing.transmitIntervalMillis, "transmit-interval"),
    ...unless(DEFAULTS.intervalMillis, timing.receiveIntervalMillis, "receive-interval"),
    ...(timing.passive ? ["passive-mode"] : []),
    ...unless(DEFAULTS.minimumTtl, minimumTtl, "minimum-ttl"),
    ...echoLines(echo),
  ];
}

/** RFC 5880 §6.8.9: no echo of ours, and by a required interval of zero none of the peer's. */
const echoLines = (interval: number | undefined): string[] =>
  interval === undefined
    ? ["echo receive-interval disabled"]
    : [
        "echo-mode",
        ...unless(DEFAULTS.echoMillis, interval, "echo transmit-interval"),
        ...unless(DEFAULTS.echoMillis, interval, "echo receive-interval"),
      ];

const unless = (standard: number, value: number, word: string): string[] =>
  value === standard ? [] : [`${word} ${value}`];
