/**
 * The state machine as RFC 4271 §8 tells it, over a neighbour and its connections: a test for each sentence we rely on.
 * Method: play inputs into step(), read the state and the orders that come out.
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Input, Output, Peering } from "../../backends/native/fsm/signals.ts";
import { initial, type State, stateName, step } from "../../backends/native/fsm/step.ts";
import type { Capability, Open } from "../../backends/native/wire/message.ts";
import { administrativeShutdown } from "../../backends/native/wire/notification.ts";
import { address } from "../../events/address.ts";
import { asn } from "../../events/ids.ts";

const peering: Peering = {
  localAs: asn(64512),
  routerId: address("192.0.2.1"),
  remoteAs: { type: "asn", asn: asn(64999) },
  holdTimeSeconds: 90,
  keepaliveTimeSeconds: 30,
  connectRetrySeconds: 120,
  families: ["ipv4"],
  extendedNextHop: false,
  gracefulRestart: undefined,
};
const restarting: Peering = {
  ...peering,
  gracefulRestart: { restartTimeSeconds: 120, restarting: false, forwardingPreserved: false },
};
const fourOctets: Capability = { type: "four-octet-asn", asn: 64999 };
const keepsRoutes: Capability = {
  type: "graceful-restart",
  restartState: false,
  notification: false,
  restartTimeSeconds: 120,
  families: [],
};
const open = (extra: Partial<Open> = {}): Open => ({
  asn: asn(64999),
  holdTimeSeconds: 30,
  routerId: address("192.0.2.2"),
  capabilities: [fourOctets],
  ...extra,
});

function play(
  inputs: readonly Input[],
  as: Peering = peering,
): { state: State; last: readonly Output[] } {
  let state = initial;
  let last: readonly Output[] = [];
  for (const input of inputs) ({ state, outputs: last } = step(state, input, as));
  return { state, last };
}
const types = (outputs: readonly Output[]): readonly string[] => outputs.map(({ type }) => type);
const opened = (connection: number, extra: Partial<Open> = {}): Input => ({
  type: "open-received",
  connection,
  open: open(extra),
});
const keepalive = (connection: number): Input => ({ type: "keepalive-received", connection });

const toOpenSent: readonly Input[] = [{ type: "start" }, { type: "dialed", connection: 1 }];
const toOpenConfirm: readonly Input[] = [...toOpenSent, opened(1)];
const toEstablished: readonly Input[] = [...toOpenConfirm, keepalive(1)];

describe("an OPEN from the peer", () => {
  test("settles on the smaller hold time (§4.2), and keepalives on a third of it (§4.4)", () => {
    const { last } = play(toOpenConfirm);
    expect(last).toContainEqual({
      type: "set-timer",
      timer: { name: "hold", connection: 1 },
      seconds: 30,
    });
    expect(last).toContainEqual({
      type: "set-timer",
      timer: { name: "keepalive", connection: 1 },
      seconds: 10,
    });
  });
  test("with hold time 0 has neither timer (§4.2)", () => {
    const { last } = play([...toOpenSent, opened(1, { holdTimeSeconds: 0 })]);
    expect(last.filter(({ type }) => type === "set-timer")).toEqual([]);
  });
  test("of another AS is refused with 2/2 and both numbers in words (§6.2)", () => {
    const { state, last } = play([...toOpenSent, opened(1, { asn: asn(65000) })]);
    expect(last).toContainEqual(
      expect.objectContaining({
        type: "send-notification",
        notification: expect.objectContaining({ code: 2, subcode: 2 }),
      }),
    );
    expect(state.reason).toBe("wrong AS: the peer says it is AS 65000, expected AS 64999");
    expect(stateName(state)).toBe("Active");
  });
  test("inside our AS with our own identifier is refused with 2/3 (RFC 6286 §2.2)", () => {
    const inside: Peering = { ...peering, remoteAs: { type: "internal" } };
    const { last } = play(
      [...toOpenSent, opened(1, { asn: asn(64512), routerId: address("192.0.2.1") })],
      inside,
    );
    expect(last).toContainEqual(
      expect.objectContaining({ notification: expect.objectContaining({ code: 2, subcode: 3 }) }),
    );
  });
  test.for([
    ["internal", 64512, true],
    ["internal", 64999, false],
    ["external", 64999, true],
    ["external", 64512, false],
  ] as const)("with remote AS %s and AS %i: taken is %s", ([type, number, taken]) => {
    const { state } = play([...toOpenSent, opened(1, { asn: asn(number) })], {
      ...peering,
      remoteAs: { type },
    });
    expect(stateName(state) === "OpenConfirm").toBe(taken);
  });
  test("without multiprotocol means IPv4 unicast (RFC 4760 §8)", () => {
    const both: Peering = { ...peering, families: ["ipv4", "ipv6"] };
    const { last } = play(toEstablished, both);
    expect(last).toContainEqual(
      expect.objectContaining({
        type: "session-up",
        negotiated: expect.objectContaining({ families: ["ipv4"] }),
      }),
    );
  });
});

describe("two connections at once (§6.8)", () => {
  const both: readonly Input[] = [...toOpenConfirm, { type: "accepted", connection: 2 }];
  test("the higher identifier's connection stays: theirs", () => {
    const { state, last } = play([...both, opened(2)]);
    expect(state.connections.map(({ id }) => id)).toEqual([2]);
    expect(last).toContainEqual(
      expect.objectContaining({
        type: "send-notification",
        connection: 1,
        notification: expect.objectContaining({ code: 6, subcode: 7 }),
      }),
    );
  });
  test("the higher identifier's connection stays: ours", () => {
    const low = { routerId: address("192.0.2.0") };
    const { state } = play([
      ...toOpenSent,
      opened(1, low),
      { type: "accepted", connection: 2 },
      opened(2, low),
    ]);
    expect(state.connections.map(({ id }) => id)).toEqual([1]);
  });
  test("a second one beside an Established one gets 6/7", () => {
    const { state, last } = play([
      ...toEstablished,
      { type: "accepted", connection: 2 },
      opened(2),
    ]);
    expect(state.connections).toMatchObject([{ id: 1, name: "Established" }]);
    expect(last).toContainEqual(
      expect.objectContaining({
        connection: 2,
        notification: expect.objectContaining({ code: 6, subcode: 7 }),
      }),
    );
  });
  const gr = { capabilities: [fourOctets, keepsRoutes] };
  test("one that was dialled at the same time gets 6/7, also with graceful restart", () => {
    const { state, last } = play(
      [
        ...toOpenSent,
        opened(1, gr),
        keepalive(1),
        { type: "accepted", connection: 2 },
        opened(2, gr),
      ],
      restarting,
    );
    expect(state.connections).toMatchObject([{ id: 1, name: "Established" }]);
    expect(last).toContainEqual(
      expect.objectContaining({
        connection: 2,
        notification: expect.objectContaining({ code: 6, subcode: 7 }),
      }),
    );
  });
  test("with graceful restart a later one replaces it (RFC 4724 §4.2)", () => {
    const inputs: readonly Input[] = [
      ...toOpenSent,
      opened(1, gr),
      keepalive(1),
      { type: "timer-expired", timer: { name: "settle", connection: 1 } },
      { type: "accepted", connection: 2 },
      opened(2, gr),
      keepalive(2),
    ];
    const { state } = play(inputs, restarting);
    expect(state.connections).toMatchObject([{ id: 2, name: "Established" }]);
    const replaced = play(inputs.slice(0, -1), restarting).last;
    expect(replaced).toContainEqual({
      type: "session-down",
      reason: "the peer restarted",
      graceful: true,
    });
    expect(types(replaced)).not.toContain("send-notification");
  });
  test("a third one is rejected", () => {
    const { state, last } = play([...both, { type: "accepted", connection: 3 }]);
    expect(state.connections).toHaveLength(2);
    expect(types(last)).toEqual(["send-notification", "hang-up"]);
  });
});

describe("an Established session", () => {
  test("says 4/0 and goes down when the hold timer expires (§6.5)", () => {
    const { last, state } = play([
      ...toEstablished,
      { type: "timer-expired", timer: { name: "hold", connection: 1 } },
    ]);
    expect(last).toContainEqual(
      expect.objectContaining({
        type: "send-notification",
        notification: expect.objectContaining({ code: 4, subcode: 0 }),
      }),
    );
    expect(types(last)).toContain("session-down");
    expect(state.dial).toBe("waiting");
  });
  test("restarts the hold timer with every KEEPALIVE and UPDATE (§8.2.2)", () => {
    for (const heard of [keepalive(1), { type: "update-received", connection: 1 } as const]) {
      expect(play([...toEstablished, heard]).last).toEqual([
        { type: "set-timer", timer: { name: "hold", connection: 1 }, seconds: 30 },
      ]);
    }
  });
  test("answers a second OPEN with 5/3 (RFC 6608 §3)", () => {
    expect(play([...toEstablished, opened(1)]).last).toContainEqual(
      expect.objectContaining({ notification: expect.objectContaining({ code: 5, subcode: 3 }) }),
    );
  });
  test("that is stopped tells the peer 6/2 with our words (RFC 9003)", () => {
    const { state, last } = play([
      ...toEstablished,
      { type: "stop", notification: administrativeShutdown("bye"), reason: "stopped" },
    ]);
    expect(stateName(state)).toBe("Idle");
    expect(last).toContainEqual(
      expect.objectContaining({ notification: expect.objectContaining({ code: 6, subcode: 2 }) }),
    );
  });
  test("that vanishes says nothing, so that the peer keeps our routes (RFC 4724 §4)", () => {
    expect(types(play([...toEstablished, { type: "vanish", reason: "x" }]).last)).not.toContain(
      "send-notification",
    );
  });
});

describe("an end that routes may outlive (RFC 4724 §4.2)", () => {
  const offer = (...more: Capability[]): Input =>
    opened(1, { capabilities: [fourOctets, ...more] });
  const up: readonly Input[] = [...toOpenSent, offer(keepsRoutes), keepalive(1)];
  const isGraceful = (input: Input, one: Peering = restarting): boolean | undefined =>
    play([...up, input], one).last.flatMap((output) =>
      output.type === "session-down" ? [output.graceful] : [],
    )[0];
  const lost: Input = { type: "closed", connection: 1, reason: "connection lost" };

  test("is one without a word, where both sides agreed on it", () => {
    expect(isGraceful(lost)).toBe(true);
    expect(isGraceful({ type: "vanish", reason: "BFD" })).toBe(true);
    expect(isGraceful(lost, peering)).toBe(false);
    expect(isGraceful({ type: "vanish", reason: "BFD" }, peering)).toBe(false);
  });
  test.for<[string, Input]>([
    [
      "the peer's NOTIFICATION",
      { type: "notification-received", connection: 1, notification: administrativeShutdown("x") },
    ],
    ["the hold timer", { type: "timer-expired", timer: { name: "hold", connection: 1 } }],
    ["the send hold timer", { type: "send-stalled", connection: 1 }],
    ["our own end", { type: "stop", notification: administrativeShutdown("x"), reason: "x" }],
  ])("is not %s, without RFC 8538", ([, input]) => {
    expect(isGraceful(input)).toBe(false);
  });
  test("says for which agreed families the peer forwards, and did", () => {
    const [ipv4, ipv6, evpn] = [
      { afi: 1, safi: 1 },
      { afi: 2, safi: 1 },
      { afi: 25, safi: 70 },
    ];
    const families = [
      { family: ipv4, forwarding: true },
      { family: ipv6, forwarding: false },
      { family: evpn, forwarding: true },
    ];
    const listed = { ...keepsRoutes, restartTimeSeconds: 77, families } as const;
    const agreed = (families_: Peering["families"]): unknown => {
      const mine = { ...restarting, families: families_ };
      const said = [ipv4, ipv6].map((family) => ({ type: "multiprotocol", family }) as const);
      return play([...toOpenSent, offer(listed, ...said)], mine).state.connections[0];
    };
    const peerRestartSeconds = 77;
    expect(agreed(["ipv4", "ipv6"])).toMatchObject({
      negotiated: {
        peerRestartSeconds,
        restartFamilies: ["ipv4", "ipv6"],
        forwardingKept: ["ipv4"],
      },
    });
    expect(agreed(["ipv6"])).toMatchObject({
      negotiated: { peerRestartSeconds, restartFamilies: ["ipv6"], forwardingKept: [] },
    });
  });
});

describe("after a failure", () => {
  const pauses = (count: number): readonly number[] => {
    let state = step(initial, { type: "start" }, peering).state;
    return Array.from({ length: count }, () => {
      const failed = step(state, { type: "dial-failed", reason: "no" }, peering);
      state = step(
        failed.state,
        { type: "timer-expired", timer: { name: "retry" } },
        peering,
      ).state;
      return (
        failed.outputs.flatMap((one) => (one.type === "set-timer" ? [one.seconds] : []))[0] ?? 0
      );
    });
  };
  test("the pauses grow and never pass half a minute", () => {
    expect(pauses(7)).toEqual([1, 2, 4, 8, 16, 30, 30]);
  });
  test("a session that came up starts them anew", () => {
    expect(play(toEstablished).state.failures).toBe(0);
  });
});

test("no sequence of inputs throws, ups and downs pair, and there is never more than one session", () => {
  const id = fc.constantFrom(1, 2, 3);
  const anyInput: fc.Arbitrary<Input> = fc.oneof(
    fc.constantFrom<Input>(
      { type: "start" },
      { type: "vanish", reason: "x" },
      { type: "dial-failed", reason: "x" },
      { type: "timer-expired", timer: { name: "retry" } },
    ),
    fc.constant<Input>({ type: "stop", notification: administrativeShutdown(), reason: "x" }),
    id.chain((connection) =>
      fc.constantFrom<Input>(
        { type: "dialed", connection },
        { type: "accepted", connection },
        { type: "closed", connection, reason: "x" },
        { type: "send-stalled", connection },
        { type: "timer-expired", timer: { name: "hold", connection } },
        { type: "timer-expired", timer: { name: "keepalive", connection } },
        opened(connection),
        opened(connection, { capabilities: [fourOctets, keepsRoutes] }),
        opened(connection, { asn: asn(1) }),
        keepalive(connection),
        { type: "update-received", connection },
      ),
    ),
  );
  fc.assert(
    fc.property(fc.array(anyInput, { maxLength: 80 }), fc.boolean(), (inputs, gr) => {
      let state = initial;
      let balance = 0;
      const used = new Set<number>();
      for (const input of inputs) {
        // A driver never gives two connections one id.
        if (input.type === "dialed" || input.type === "accepted") {
          if (used.has(input.connection)) continue;
          used.add(input.connection);
        }
        const next = step(state, input, gr ? restarting : peering);
        for (const { type } of next.outputs)
          balance += type === "session-up" ? 1 : type === "session-down" ? -1 : 0;
        state = next.state;
        const up = state.connections.filter(({ name }) => name === "Established").length;
        expect(up).toBeLessThanOrEqual(1);
        expect(balance).toBe(up);
      }
    }),
    { numRuns: 500 },
  );
});
