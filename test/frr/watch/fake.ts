/** A daemon that answers what a test says, and neighbours as an intent has them. */
import { readFileSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import type { Asks } from "../../../backends/frr/watch/daemon.ts";
import { BackendError } from "../../../backends/backend.ts";
import type { NeighborIntent, OwnRoute, SpeakerIntent } from "../../../backends/intent.ts";
import { address, type Family } from "../../../events/address.ts";
import { asn, neighborKey } from "../../../events/ids.ts";
import { PersistentMap } from "../../../events/persistent-map.ts";
import type { Prefix } from "../../../events/prefix.ts";

/** What FRR 8.4.4 printed. */
export const recorded = (name: string): string =>
  readFileSync(new URL(`recorded/${name}`, import.meta.url), "utf8");

export type FakeDaemon = Asks & {
  /** By the whole command, or by how it begins; undefined: no answer at all. */
  readonly answers: Map<string, string | undefined>;
  readonly asked: string[];
  /** Every question fails with it. */
  fault: BackendError | undefined;
};

export function fakeDaemon(answers: Readonly<Record<string, string>>): FakeDaemon {
  const daemon: FakeDaemon = {
    answers: new Map(Object.entries(answers)),
    asked: [],
    fault: undefined,
    show(command) {
      daemon.asked.push(command);
      if (daemon.fault !== undefined) return Promise.reject(daemon.fault);
      const found = [...daemon.answers].find(([key]) => command.startsWith(key));
      if (found === undefined) {
        return Promise.reject(new BackendError("SPEAKER_REFUSED", "% Unknown command"));
      }
      const [, text] = found;
      return text === undefined ? new Promise<never>(() => undefined) : Promise.resolve(text);
    },
  };
  return daemon;
}

export const unreachable = (why: string): BackendError =>
  new BackendError("SPEAKER_UNREACHABLE", why);

/** Lets everything that waits for an answer go on. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i += 1) await turn();
}

export const neighbor = (
  remote: string,
  options: {
    readonly vrf?: string;
    readonly families?: readonly Family[];
    readonly bfd?: boolean;
  } = {},
): NeighborIntent => ({
  key: neighborKey(options.vrf ?? "", remote, ""),
  name: `name of ${remote}`,
  backend: "frr",
  remoteAs: { type: "asn", asn: asn(64513) },
  remote: /[.:]/.test(remote)
    ? { type: "address", address: address(remote), port: 179 }
    : { type: "interface", interface: remote },
  localAddress: undefined,
  localAsOverride: undefined,
  holdTimeSeconds: 90,
  keepaliveTimeSeconds: 30,
  connectRetrySeconds: 5,
  timeToLive: 1,
  authentication: undefined,
  families: options.families ?? ["ipv4"],
  carriesEvpn: false,
  gracefulRestart: undefined,
  waitsForBfd: false,
  speakerBfd:
    options.bfd === true
      ? {
          profile: "fast",
          multihop: false,
          timing: {
            transmitIntervalMillis: 300,
            receiveIntervalMillis: 300,
            detectMultiplier: 3,
            echoIntervalMillis: undefined,
            passive: false,
            minimumTimeToLive: 255,
          },
        }
      : undefined,
  receive: { type: "everything" },
  receiveGuard: undefined,
  provenance: [],
});

export const intentOf = (
  neighbors: readonly NeighborIntent[],
  routes: PersistentMap<Prefix, OwnRoute> = PersistentMap.empty<Prefix, OwnRoute>(),
): SpeakerIntent => ({
  routers: [
    {
      key: "|64512|",
      vrf: "",
      localAs: asn(64512),
      routerId: undefined,
      neighbors,
      routes,
      imports: [],
      evpn: undefined,
    },
  ],
  raw: [],
});
