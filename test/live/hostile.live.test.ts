/**
 * Peers that break the protocol: each gets the answer that the RFCs name, and nobody else notices.
 *
 * A raw peer in a namespace sends octets by hand; BIRD beside it is the witness that its own session stands and still gets
 * changes. What is wrong is said in `rutter peers`.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { cannot, skipUnless } from "../probe.ts";
import { startAgent } from "./agent.ts";
import { apiOf } from "./api.ts";
import { startBird } from "./bird.ts";
import {
  advertisementManifest,
  ALWAYS,
  documents,
  peerManifest,
  poolManifest,
  serviceManifest,
} from "./manifests.ts";
import { makeNetwork } from "./netns.ts";
import {
  attributes,
  keepalive,
  message,
  open,
  startRawPeer,
  TYPE,
  update,
  type Wire,
} from "./raw-peer.ts";
import { until } from "./until.ts";

beforeEach(skipUnless("netns", "bird"));

const HOST_AS = 64512;
const HOSTILE_AS = 64666;
const PATIENCE_MS = 60_000;

type Peer = {
  readonly name: string;
  readonly state: string;
  readonly reason: string;
  readonly resets: number;
  readonly received: number;
};
/** One agent, one honest session, and a node whose addresses play the others. */
async function makeStage() {
  await using stack = new AsyncDisposableStack();
  const network = stack.use(await makeNetwork(["host", "hostile", "router"]));
  const { host, hostile, router: far } = network.nodes;
  const raw = stack.use(await startRawPeer(hostile));
  const router = stack.use(
    await startBird(far, {
      asn: 64999,
      routerId: far.ipv4,
      neighbours: [{ name: "host", address: host.ipv4, asn: HOST_AS, gracefulRestart: false }],
    }),
  );
  const agent = stack.use(await startAgent(host, { config: ALWAYS }));
  const api = apiOf(agent.socket);
  const honest = peerManifest({
    name: "honest",
    localAs: HOST_AS,
    remoteAs: 64999,
    address: far.ipv4,
  });
  const pool = poolManifest(["203.0.113.0/24"]);
  expect(await api.apply(documents(pool, honest, advertisementManifest()))).toBe(200);
  return { host, hostile, raw, router, agent, api, stack: stack.move() };
}

let stage: Awaited<ReturnType<typeof makeStage>>;
beforeAll(async () => {
  if (!cannot("netns", "bird")) stage = await makeStage();
});
afterAll(() => stage?.stack.disposeAsync());

type Case = {
  readonly address: string;
  /** The agent's connection to this peer, counted from 0. */
  connection(index: number): Promise<Wire>;
  /** This peer, as the agent shows it. */
  peer(): Promise<Peer | undefined>;
  waitForReason(words: RegExp): Promise<void>;
  received(): Promise<readonly { readonly prefix: string }[]>;
};

let cases = 0;
/** Plays `act` with a peer of its own, and checks that the honest session noticed nothing and still gets changes. */
async function beside(act: (one: Case) => Promise<void>): Promise<void> {
  const { host, hostile, raw, router, agent, api } = stage;
  cases += 1;
  const name = `hostile${cases}`;
  const address = `10.99.0.${100 + cases}`;
  const explain = async () => `${await agent.explain()}\n${await router.explain()}`;
  await hostile.ip("address", "add", `${address}/24`, "dev", "eth0");
  const manifest = peerManifest({ name, localAs: HOST_AS, remoteAs: HOSTILE_AS, address });
  expect(await api.apply(manifest)).toBe(200);

  const peer = async () => (await api.get<Peer[]>("/v1/peers")).find((one) => one.name === name);
  await act({
    address,
    connection: (index) => raw.connection(address, index),
    peer,
    waitForReason: async (words) => {
      await until(async () => words.test((await peer())?.reason ?? ""), {
        what: String(words),
        explain,
        timeoutMs: PATIENCE_MS,
      });
    },
    received: () => api.get(`/v1/routes/received?peer=${name}`),
  });

  const service = serviceManifest(name, { loadBalancerIP: `203.0.113.${cases}` });
  expect(await api.apply(service)).toBe(200);
  await until(() => router.route(`203.0.113.${cases}/32`), {
    what: "a change at the honest peer",
    explain,
    timeoutMs: PATIENCE_MS,
  });
  expect(await router.session(host.ipv4)).toMatchObject({ timesEstablished: 1, timesLost: 0 });
  expect(agent.running()).toBe(true);
}

/** Both sides' OPEN and KEEPALIVE. */
async function establish(wire: Wire): Promise<void> {
  await wire.await(TYPE.open);
  wire.send(open({ asn: HOSTILE_AS }), keepalive());
  await wire.await(TYPE.keepalive);
}

/** What the agent said last: the octets of its NOTIFICATION, behind which it hangs up. */
async function farewellOf(wire: Wire): Promise<number[]> {
  const { body } = await wire.await(TYPE.notification);
  await until(wire.closed, { what: "the end of the connection", timeoutMs: PATIENCE_MS });
  return [...body];
}

/** 198.51.100.0/24 and 192.0.2.0/24 on the wire. */
const FIRST = [24, 198, 51, 100];
const SECOND = [24, 192, 0, 2];

describe("before a session, a peer that sends", () => {
  const garbage = new Uint8Array(4096).fill(0x47);
  const openWith = (changes: Partial<Parameters<typeof open>[0]>) =>
    open({ asn: HOSTILE_AS, ...changes });
  // `says`: code, subcode and data of the NOTIFICATION; RFC 4271 §6.1 and §6.2 put the erroneous length, the erroneous type
  // and the version that we speak into the data.
  test.for([
    { what: "garbage", octets: garbage, says: [1, 1], words: /synchroni/ },
    { what: "length 0", octets: message(4, [], 0), says: [1, 2, 0, 0], words: /length/ },
    {
      what: "length 65535",
      octets: message(1, [], 0xffff),
      says: [1, 2, 255, 255],
      words: /length/,
    },
    { what: "a message of no type", octets: message(77), says: [1, 3, 77], words: /type/ },
    { what: "hold time 1", octets: openWith({ holdTime: 1 }), says: [2, 6], words: /hold time/ },
    { what: "hold time 2", octets: openWith({ holdTime: 2 }), says: [2, 6], words: /hold time/ },
    { what: "version 3", octets: openWith({ version: 3 }), says: [2, 1, 0, 4], words: /version/ },
    { what: "another AS", octets: openWith({ asn: 64667 }), says: [2, 2], words: /wrong AS/ },
    { what: "a KEEPALIVE first", octets: keepalive(), says: [5, 1], words: /too early/ },
    { what: "an UPDATE first", octets: update([], FIRST), says: [5, 1], words: /too early/ },
  ])("$what is told so ($says), and tried again", ({ octets, says, words }) =>
    beside(async ({ connection, waitForReason }) => {
      const wire = await connection(0);
      await wire.await(TYPE.open);
      wire.send(octets);
      expect(await farewellOf(wire)).toEqual(says);
      await waitForReason(words);
      await (await connection(1)).await(TYPE.open);
    }),
  );

  test("half an OPEN and then nothing holds up nobody, and is tried again when it hangs up", () =>
    beside(async ({ connection, peer, waitForReason }) => {
      const wire = await connection(0);
      await wire.await(TYPE.open);
      wire.send(open({ asn: HOSTILE_AS }).subarray(0, 25));
      const meanwhile = serviceManifest("meanwhile", { loadBalancerIP: "203.0.113.200" });
      expect(await stage.api.apply(meanwhile)).toBe(200);
      const { router } = stage;
      await until(() => router.route("203.0.113.200/32"), { what: "it", timeoutMs: PATIENCE_MS });
      expect(await peer()).toMatchObject({ state: "OpenSent" });
      expect(wire.messages().map(({ type }) => type)).toEqual([TYPE.open]);
      wire.end();
      await waitForReason(/closed the connection/);
      await (await connection(1)).await(TYPE.open);
    }));
});

describe("in a session, an UPDATE", () => {
  /** Two good routes, then what the test sends. */
  const withRoutes = (act: (one: Case, wire: Wire) => Promise<void>) =>
    beside(async (one) => {
      const wire = await one.connection(0);
      await establish(wire);
      wire.send(update(attributes(HOSTILE_AS, one.address), [...FIRST, ...SECOND]));
      await until(async () => (await one.received()).length === 2, {
        what: "both routes",
        timeoutMs: PATIENCE_MS,
      });
      await act(one, wire);
    });
  const onlySecond = async ({ received }: Case): Promise<void> => {
    await until(async () => (await received()).length === 1, {
      what: "the first route's end",
      explain: () => stage.agent.explain(),
      timeoutMs: PATIENCE_MS,
    });
    expect(await received()).toMatchObject([{ prefix: "192.0.2.0/24" }]);
  };

  test.for([
    { what: "ORIGIN 9", extra: [], origin: 9, words: /ORIGIN/ },
    {
      what: "a MED of three octets",
      extra: [0x80, 4, 3, 0, 0, 1],
      origin: 0,
      words: /MED|MULTI_EXIT/,
    },
    {
      what: "COMMUNITIES of five octets",
      extra: [0xc0, 8, 5, 0, 1, 0, 1, 0],
      origin: 0,
      words: /COMMUNIT/,
    },
    { what: "LARGE_COMMUNITIES of one octet", extra: [0xc0, 32, 1, 0], origin: 0, words: /LARGE/ },
  ])(
    "with $what takes its routes away and keeps the session (RFC 7606)",
    ({ extra, origin, words }) =>
      withRoutes(async (one, wire) => {
        wire.send(update([...attributes(HOSTILE_AS, one.address, origin), ...extra], FIRST));
        await onlySecond(one);
        expect(await one.peer()).toMatchObject({
          state: "Established",
          resets: 0,
          received: 1,
          reason: expect.stringMatching(words),
        });
        await until(() => words.test(stage.agent.stderr()), { what: `${words} in the log lines` });
        expect(wire.messages().some(({ type }) => type === TYPE.notification)).toBe(false);
      }),
  );

  test.for([
    {
      what: "attributes longer than the message",
      octets: update([], [], 400),
      code: [3, 1],
      words: /malformed attribute list/,
    },
    {
      what: "a prefix of 33 bits",
      octets: update(attributes(HOSTILE_AS, "10.99.0.2"), [33, 1, 2, 3, 4, 5]),
      code: [3, 10],
      words: /invalid network field/,
    },
    {
      what: "a second OPEN in its place",
      octets: open({ asn: HOSTILE_AS }),
      code: [5, 3],
      words: /second OPEN/,
    },
  ])("with $what ends the session with $code, and its routes go", ({ octets, code, words }) =>
    withRoutes(async (one, wire) => {
      wire.send(octets);
      expect((await farewellOf(wire)).slice(0, 2)).toEqual(code);
      await one.waitForReason(words);
      expect(await one.received()).toEqual([]);
      const next = await one.connection(1);
      await establish(next);
      await until(async () => (await one.peer())?.state === "Established", {
        what: "a new session",
        timeoutMs: PATIENCE_MS,
      });
      expect(await one.peer()).toMatchObject({ resets: 1 });
    }),
  );
});
