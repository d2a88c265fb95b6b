/**
 * All sockets of the process: receivers for each VRF in use, a sender for each session.
 *
 * A port that another BFD speaker owns is said so and asked for again, never shared: SO_REUSEADDR on 3784 would take the
 * other one's packets away (design §2). Reads next: receiver.ts, sender.ts.
 */
import { type Family, familyOf } from "../../../events/address.ts";
import type { BfdKey } from "../../../events/ids.ts";
import { calls, setTimeToLive, SystemError } from "../../os/libc.ts";
import type { BfdParameters } from "../parameters.ts";
import type { Datagram } from "../port.ts";
import type { MonotonicClock } from "./monotonic.ts";
import { type EchoLink, openEchoLink } from "./echo-link.ts";
import { openReceiver, PORTS, type Receiver } from "./receiver.ts";
import { createSender, type Sender } from "./sender.ts";

const FAMILIES: readonly Family[] = ["ipv4", "ipv6"];
const KINDS = ["single-hop", "multihop", "echo"] as const;
/** Batches taken from one socket before the others and the timers get their turn: a flood stays bounded. */
const MOST_BATCHES = 16;
const REOPEN_MICROS = 1e6;
/** RFC 5880 §6.8.8 leaves the form of echoes to their sender; 254 tells one that comes back from one that is new. */
const RETURNED_ECHO_HOPS = 254;
const NAME_OCTETS = 32;

export type Sockets = {
  /** Opens and closes what these sessions need. */
  hold(sessions: readonly BfdParameters[], nowMicros: number): void;
  /** Asks again for what could not be opened. */
  retry(nowMicros: number): void;
  descriptors(): readonly number[];
  /** Hands on what waits in these; answers until when everything that arrived there has been handed on. */
  drain(ready: ReadonlySet<number>, take: (datagram: Datagram) => void): number;
  sender(key: BfdKey): Sender | undefined;
  sendEcho(key: BfdKey, octets: Uint8Array): void;
  /** Sends the echo that is being taken back to where it came from. */
  returnEcho(): void;
  /** Why packets can't come in or go out; empty where nothing is wrong. */
  problems(): readonly string[];
  close(): void;
};

type Wanted = { readonly vrf: string; readonly family: Family; readonly to: Datagram["to"] };

export function createSockets(clock: MonotonicClock, random: () => number): Sockets {
  const receivers = new Map<string, Receiver>();
  const failed = new Map<string, { readonly wanted: Wanted; readonly reason: string }>();
  const senders = new Map<BfdKey, Sender>();
  const deviceName = deviceNames(clock);
  let retryAt = 0;
  let descriptors: readonly number[] = [];
  const echoLinks = new Map<Family, EchoLink>();
  const echoing = new Map<BfdKey, BfdParameters>();
  const echoProblems = new Map<BfdKey | Family, string>();
  let giveBack: () => void = () => {};

  const open = (name: string, wanted: Wanted): void => {
    try {
      const others = [...receivers].filter(([other]) =>
        other.endsWith(`|${wanted.family}|${wanted.to}`),
      );
      const beside = others.map(([, { fd }]) => fd);
      const receiver = openReceiver({ ...wanted, beside, clock, deviceName });
      if (wanted.to === "echo") setTimeToLive(receiver.fd, wanted.family, RETURNED_ECHO_HOPS);
      receivers.set(name, receiver);
      failed.delete(name);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      failed.set(name, { wanted, reason: receiverProblem(wanted, error.code) });
    }
  };
  /** One for each family in which some session sends echoes. */
  const openEchoLinks = (): void => {
    const wanted = new Set([...echoing.values()].map(({ remote }) => familyOf(remote)));
    for (const [family, link] of echoLinks) {
      if (wanted.has(family)) continue;
      link.close();
      echoLinks.delete(family);
    }
    for (const family of FAMILIES) {
      echoProblems.delete(family);
      if (!wanted.has(family) || echoLinks.has(family)) continue;
      const isWanted = (discriminator: number): boolean =>
        echoing.values().some(({ localDiscriminator }) => localDiscriminator === discriminator);
      try {
        echoLinks.set(family, openEchoLink({ family, clock, deviceName, isWanted }));
      } catch (error) {
        if (!(error instanceof SystemError)) throw error;
        const what = "Control packets alone detect; CAP_NET_RAW gives rutter-bfd the right to it";
        echoProblems.set(family, `no echo function over ${family}: ${error.message}: ${what}`);
      }
    }
  };
  const listDescriptors = (): void => {
    descriptors = [...receivers.values(), ...echoLinks.values()].map(({ fd }) => fd);
  };

  return {
    hold(sessions, nowMicros) {
      const vrfs = [...new Set(sessions.map(({ vrf }) => vrf))];
      const wanted = new Map<string, Wanted>(
        vrfs.flatMap((vrf) =>
          FAMILIES.flatMap((family) =>
            KINDS.map((to) => [`${vrf}|${family}|${to}`, { vrf, family, to }] as const),
          ),
        ),
      );
      for (const [name, receiver] of receivers) {
        if (wanted.has(name)) continue;
        receiver.close();
        receivers.delete(name);
      }
      for (const name of failed.keys()) if (!wanted.has(name)) failed.delete(name);
      for (const [name, one] of wanted) if (!receivers.has(name)) open(name, one);
      retryAt = nowMicros + REOPEN_MICROS;
      echoing.clear();
      for (const one of sessions) {
        if (one.timing.echoIntervalMillis !== undefined) echoing.set(one.key, one);
      }
      openEchoLinks();
      listDescriptors();
      const keys = new Set(sessions.map(({ key }) => key));
      for (const [key, sender] of senders) {
        if (keys.has(key)) continue;
        sender.close();
        senders.delete(key);
      }
      for (const session of sessions) {
        if (!senders.has(session.key)) senders.set(session.key, createSender(session, random));
      }
    },
    retry(nowMicros) {
      if (failed.size === 0 || nowMicros < retryAt) return;
      retryAt = nowMicros + REOPEN_MICROS;
      for (const [name, { wanted }] of failed) open(name, wanted);
      listDescriptors();
    },
    descriptors: () => descriptors,
    drain(ready, take) {
      let heardUpTo = clock.nowMicros();
      const drained = (batch: (note: (datagram: Datagram) => void) => boolean): void => {
        let newest = Number.NEGATIVE_INFINITY;
        const note = (datagram: Datagram): void => {
          newest = datagram.arrivedMicros;
          take(datagram);
        };
        for (let count = 0; count < MOST_BATCHES; count += 1) if (!batch(note)) return;
        heardUpTo = Math.min(heardUpTo, newest);
      };
      for (const receiver of receivers.values()) {
        if (!ready.has(receiver.fd)) continue;
        drained((note) =>
          receiver.drain((datagram, from) => {
            const { octets } = datagram;
            giveBack = () => calls.sendto(receiver.fd, octets, octets.length, 0, from, from.length);
            note(datagram);
          }),
        );
      }
      for (const link of echoLinks.values()) {
        if (!ready.has(link.fd)) continue;
        drained((note) =>
          link.drain((datagram, back) => {
            giveBack = back;
            note(datagram);
          }),
        );
      }
      giveBack = () => {};
      return heardUpTo;
    },
    sender: (key) => senders.get(key),
    sendEcho(key, octets) {
      const session = echoing.get(key);
      const link = session && echoLinks.get(familyOf(session.remote));
      if (session === undefined || link === undefined) return;
      const problem = link.send(session.localDiscriminator, octets);
      if (problem === "") echoProblems.delete(key);
      else echoProblems.set(key, problem);
    },
    returnEcho: () => giveBack(),
    problems: () => [
      ...[...failed.values()].map(({ reason }) => reason),
      ...[...senders].flatMap(([key, sender]) =>
        sender.problem() === "" ? [] : [`${key}: ${sender.problem()}`],
      ),
      ...echoProblems.values(),
    ],
    close() {
      for (const one of [...receivers.values(), ...senders.values(), ...echoLinks.values()])
        one.close();
    },
  };
}

function receiverProblem({ vrf, family, to }: Wanted, code: string): string {
  const where = vrf === "" ? "" : ` in VRF ${vrf}`;
  const port = PORTS[to];
  if (code === "EADDRINUSE") {
    return `UDP port ${port} (${family})${where} belongs to another BFD speaker: stop it (ss -ulpn 'sport = ${port}'), or let it serve this host`;
  }
  return `UDP port ${port} (${family})${where}: ${code}`;
}

/** Names are asked for once a second at most: a device may be renamed, and its index used again. */
function deviceNames({ nowMicros }: MonotonicClock): (index: number) => string {
  const names = new Map<number, string>();
  let freshUntil = 0;
  const out = new Uint8Array(NAME_OCTETS);
  return (index) => {
    const now = nowMicros();
    if (now > freshUntil) {
      names.clear();
      freshUntil = now + 1e6;
    }
    const known = names.get(index);
    if (known !== undefined) return known;
    const found = calls.if_indextoname(index, out) !== null;
    const name = found ? new TextDecoder().decode(out.subarray(0, out.indexOf(0))) : "";
    names.set(index, name);
    return name;
  };
}
