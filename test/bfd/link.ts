/**
 * Two BFD engines and the link between them, in virtual time: what one sends the other receives, later, or never.
 *
 * Read next: engine.test.ts.
 */
import { createEngine, type Engine, type EngineOptions } from "../../backends/bfd/engine.ts";
import type { BfdTiming } from "../../backends/bfd/intent.ts";
import type { BfdParameters, BfdTransition } from "../../backends/bfd/parameters.ts";
import type { Datagram } from "../../backends/bfd/port.ts";
import { address, addressOctets } from "../../events/address.ts";
import { bfdKey } from "../../events/ids.ts";

export const TIMING: BfdTiming = {
  transmitIntervalMillis: 300,
  receiveIntervalMillis: 300,
  detectMultiplier: 3,
  echoIntervalMillis: undefined,
  passive: false,
  minimumTimeToLive: 255,
};

const ENDS = [address("10.0.0.1"), address("10.0.0.2")] as const;

export function parametersOf(end: 0 | 1, rest: Partial<BfdParameters> = {}): BfdParameters {
  const remote = ENDS[end === 0 ? 1 : 0];
  return {
    key: bfdKey("", remote, "", "", false),
    vrf: "",
    remote,
    local: undefined,
    interface: "",
    multihop: false,
    localDiscriminator: end + 1,
    timing: TIMING,
    authentication: undefined,
    ...rest,
  };
}

export type Sent = { readonly atMicros: number; readonly octets: Uint8Array };

export type End = {
  readonly engine: Engine;
  readonly sent: readonly Sent[];
  readonly transitions: readonly BfdTransition[];
};

export type Link = {
  readonly ends: readonly [End, End];
  now(): number;
  /** Lets that much time go by. */
  run(millis: number): void;
  /** Whether a packet from this end arrives. */
  lose(loses: (from: 0 | 1) => boolean): void;
  /** Changes what is delivered to this end. */
  alter(change: (datagram: Datagram, to: 0 | 1) => Datagram): void;
};

export const DELAY_MICROS = 500;

/** `random`: uniform in [0, 1), the same for both ends. */
export function makeLink(
  random: () => number = () => 0.5,
  options: EngineOptions = { controlPlaneIndependent: true },
): Link {
  let now = 0;
  let loses: (from: 0 | 1) => boolean = () => false;
  let change = (datagram: Datagram, _to: 0 | 1): Datagram => datagram;
  /** Sends back the echo that is being received. */
  let back = (): void => {};
  const flying: { readonly at: number; readonly to: 0 | 1; readonly datagram: Datagram }[] = [];
  const fly = (from: 0 | 1, to: Datagram["to"], octets: Uint8Array, timeToLive: number): void => {
    if (loses(from)) return;
    const target = from === 0 ? 1 : 0;
    const at = now + DELAY_MICROS;
    const datagram: Datagram = {
      to,
      vrf: "",
      remote: addressOctets(ENDS[from]),
      local: addressOctets(ENDS[target]),
      interface: "eth0",
      timeToLive,
      octets: octets.slice(),
      arrivedMicros: at,
    };
    flying.push({ at, to: target, datagram: change(datagram, target) });
  };
  const endOf = (end: 0 | 1): End => {
    const sent: Sent[] = [];
    const transitions: BfdTransition[] = [];
    const engine = createEngine(
      {
        sendControl(_key, octets) {
          sent.push({ atMicros: now, octets: octets.slice() });
          fly(end, "single-hop", octets, 255);
        },
        sendEcho: (_key, octets) => fly(end, "echo", octets, 255),
        returnEcho: () => back(),
        changed: (transition) => void transitions.push(transition),
        random,
      },
      options,
    );
    return { engine, sent, transitions };
  };
  const ends = [endOf(0), endOf(1)] as const;
  const nextAt = (): number =>
    Math.min(
      ...ends.map(({ engine }) => engine.nextDue() ?? Number.POSITIVE_INFINITY),
      ...flying.map(({ at }) => at),
    );
  return {
    ends,
    now: () => now,
    lose: (next) => {
      loses = next;
    },
    alter: (next) => {
      change = next;
    },
    run(millis) {
      const until = now + millis * 1000;
      for (let at = nextAt(); at <= until; at = nextAt()) {
        now = Math.max(now, at);
        for (let i = flying.findIndex((one) => one.at <= now); i >= 0;) {
          const [one] = flying.splice(i, 1);
          if (one !== undefined) {
            back = () => fly(one.to, "echo", one.datagram.octets, 254);
            ends[one.to].engine.receive(one.datagram, now);
          }
          i = flying.findIndex((other) => other.at <= now);
        }
        for (const { engine } of ends) engine.act(now);
      }
      now = until;
    },
  };
}
