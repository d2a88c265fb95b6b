/**
 * A session is one value: dumped and restored at any octet of its input it goes on as if nothing had been.
 */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { Peering } from "../../backends/native/fsm/signals.ts";
import { announce, hasPending } from "../../backends/native/rib/adj-rib-out.ts";
import { drain } from "../../backends/native/rib/drain.ts";
import {
  createSession,
  dumpSession,
  feed,
  negotiatedOf,
  type Order,
  receive,
  restoreSession,
  type Session,
  type SessionDump,
} from "../../backends/native/session.ts";
import { encodeEndOfRib } from "../../backends/native/wire/encode-updates.ts";
import { encodeKeepalive } from "../../backends/native/wire/header.ts";
import { toHex } from "../../backends/native/wire/hex.ts";
import { encodeOpen } from "../../backends/native/wire/open.ts";
import { address } from "../../events/address.ts";
import { asn } from "../../events/ids.ts";
import { prefix } from "../../events/prefix.ts";

const peering: Peering = {
  localAs: asn(64512),
  routerId: address("192.0.2.1"),
  remoteAs: { type: "external" },
  holdTimeSeconds: 90,
  keepaliveTimeSeconds: 30,
  connectRetrySeconds: 120,
  families: ["ipv4"],
  extendedNextHop: false,
  gracefulRestart: undefined,
};
const attributes = {
  origin: "igp",
  asPath: [asn(64512)],
  nextHop: address("192.0.2.1"),
  communities: [],
  largeCommunities: [],
} as const;

/** OPEN, KEEPALIVE, End-of-RIB, KEEPALIVE, and an OPEN too many. */
const open = encodeOpen({
  asn: asn(64999),
  holdTimeSeconds: 30,
  routerId: address("192.0.2.2"),
  capabilities: [{ type: "four-octet-asn", asn: 64999 }],
});
const input = Buffer.concat([
  open,
  encodeKeepalive(),
  encodeEndOfRib("ipv4"),
  encodeKeepalive(),
  open,
]);

const started = (): Session => {
  const session = createSession();
  for (const one of [{ type: "start" }, { type: "dialed", connection: 1 }] as const) {
    for (const order of feed(session, one, peering)) void order;
  }
  return session;
};

/** What comes of the input, with the session replaced by its own dump before each given octet. */
function run(cuts: ReadonlySet<number>): readonly string[] {
  let session = started();
  const seen: string[] = [];
  const note = (order: Order): void => {
    seen.push(order.type === "take-update" ? "take-update" : JSON.stringify(order));
    if (order.type !== "session-up") return;
    announce(session.ribOut, prefix("203.0.113.0/24"), attributes);
    announce(session.ribOut, prefix("198.51.100.0/24"), attributes);
  };
  for (let at = 0; at < input.length; at += 1) {
    if (cuts.has(at)) {
      const dump: SessionDump = JSON.parse(JSON.stringify(dumpSession(session)));
      session = restoreSession(dump);
    }
    for (const order of receive(session, 1, input.subarray(at, at + 1), peering)) note(order);
    const agreed = negotiatedOf(session.state, 1);
    if (at === open.length + 30 && agreed !== undefined) {
      for (const octets of drain(session.ribOut, agreed, 4096).messages) seen.push(toHex(octets));
    }
  }
  seen.push(`pending ${hasPending(session.ribOut)}`);
  return seen;
}

test("dumped and restored before any octets of its input, a session says the same", () => {
  const whole = run(new Set());
  expect(whole.some((line) => line.includes("session-up"))).toBe(true);
  expect(whole.some((line) => line.includes('"code":5'))).toBe(true);
  for (let at = 0; at < input.length; at += 1) expect(run(new Set([at]))).toEqual(whole);
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(input.length - 1)), (cuts) => {
      expect(run(new Set(cuts))).toEqual(whole);
    }),
    { numRuns: 50 },
  );
});
