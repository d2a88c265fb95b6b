/**
 * A change set is applied whole: what a peer is told never shows half of it.
 *
 * Method: peers made of octets write down every UPDATE; each set changes pool, advertisement and peers at once, back and forth.
 */
import { beforeEach, expect, test } from "vitest";
import { skipUnless } from "../probe.ts";
import { hasGeneration, makeFleet } from "./fleet.ts";
import {
  advertisementManifest,
  documents,
  peerManifest,
  poolManifest,
  serviceManifest,
} from "./manifests.ts";
import { makeNetwork, type Node } from "./netns.ts";
import { keepalive, open, type RawPeer, startRawPeer, TYPE, type Wire } from "./raw-peer.ts";
import { until } from "./until.ts";

beforeEach(skipUnless("netns", "nats"));

const HOST_AS = 64512;
const PEER_AS = 65001;
const SERVICES = 20;
const ROUNDS = 6;
const COMMUNITIES = 8;

type Told = {
  readonly announced: readonly string[];
  readonly withdrawn: readonly string[];
  readonly communities: readonly string[];
};

/** RFC 4271 §4.3, for /32 prefixes, which is all that is announced here. */
function toldBy(body: Buffer): Told {
  const withdrawnLength = body.readUInt16BE(0);
  const at = 2 + withdrawnLength;
  const attributesLength = body.readUInt16BE(at);
  const end = at + 2 + attributesLength;
  return {
    withdrawn: prefixesIn(body.subarray(2, at)),
    announced: prefixesIn(body.subarray(end)),
    communities: communitiesIn(body.subarray(at + 2, end)),
  };
}

const prefixesIn = (octets: Buffer): readonly string[] =>
  Array.from({ length: octets.length / 5 }, (_, i) =>
    [...octets.subarray(5 * i + 1, 5 * i + 5)].join("."),
  );

function communitiesIn(attributes: Buffer): readonly string[] {
  for (let at = 0; at < attributes.length;) {
    const [flags = 0, code = 0] = attributes.subarray(at);
    const wide = (flags & 0x10) !== 0;
    const length = wide ? attributes.readUInt16BE(at + 2) : attributes.readUInt8(at + 2);
    const start = at + (wide ? 4 : 3);
    if (code === COMMUNITIES) {
      return Array.from(
        { length: length / 4 },
        (_, i) =>
          `${attributes.readUInt16BE(start + 4 * i)}:${attributes.readUInt16BE(start + 4 * i + 2)}`,
      );
    }
    at = start + length;
  }
  return [];
}

const updatesOf = (wire: Wire): readonly Told[] =>
  wire
    .messages()
    .filter(({ type, body }) => type === TYPE.update && body.length > 4)
    .map(({ body }) => toldBy(body));

/** Holds no time: the test sends no keepalives (RFC 4271 §4.2). */
async function establish(peer: RawPeer, node: Node, index = 0): Promise<Wire> {
  const wire = await peer.connection(node.ipv4, index);
  await wire.await(TYPE.open);
  wire.send(open({ asn: PEER_AS, holdTime: 0 }), keepalive());
  return wire;
}

/** What holds together: the pool, the community on it, and who is told of it. */
const worlds = [
  { pool: "203.0.113.0/27", network: "203.0.113.", community: "64512:1" },
  { pool: "198.51.100.0/27", network: "198.51.100.", community: "64512:2" },
] as const;

test("pool, peer and advertisement change together, and no UPDATE mixes the two", async () => {
  await using network = await makeNetwork(["server", "host", "first", "second"]);
  const { server, host, first, second } = network.nodes;
  await using firstPeer = await startRawPeer(first);
  await using secondPeer = await startRawPeer(second);
  await using fleet = await makeFleet([server], server, [host]);
  const peer = (node: Node): string =>
    peerManifest({ name: node.name, localAs: HOST_AS, remoteAs: PEER_AS, address: node.ipv4 });
  const world = (round: number) => worlds[round % 2] ?? worlds[0];
  /** In odd rounds the second peer is there and is told; in even ones it is neither. */
  const set = (round: number): string =>
    documents(
      peer(first),
      ...(round % 2 === 1 ? [peer(second)] : []),
      poolManifest([world(round).pool]),
      advertisementManifest({
        communities: [world(round).community],
        peers: round % 2 === 1 ? ["first", "second"] : ["first"],
      }),
      ...Array.from({ length: SERVICES }, (_, i) => serviceManifest(`s${i}`)),
    );
  await fleet.apply(set(0));
  await using agent = await fleet.agent(host);
  const wire = await establish(firstPeer, first);
  const announcedOf = (one: Wire, prefix: string): number =>
    updatesOf(one)
      .flatMap(({ announced }) => announced)
      .filter((address) => address.startsWith(prefix)).length;
  const explain = () => agent.explain();
  const seconds: Wire[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    if (round > 0) await fleet.apply(set(round), "--prune");
    if (round % 2 === 1) seconds.push(await establish(secondPeer, second, seconds.length));
    const { network: prefix } = world(round);
    const times = Math.floor(round / 2) + 1;
    await until(() => announcedOf(wire, prefix) >= times * SERVICES, {
      what: `round ${round} on the wire`,
      timeoutMs: 60_000,
      explain,
    });
  }
  await hasGeneration(agent, ROUNDS);
  const [newest] = seconds.slice(-1);
  await until(() => newest !== undefined && announcedOf(newest, worlds[1].network) === SERVICES, {
    what: "everything at the second peer",
    timeoutMs: 60_000,
    explain,
  });

  const told = updatesOf(wire);
  for (const { network: prefix, community } of worlds) {
    const mine = told.filter(({ announced }) => announced.some((one) => one.startsWith(prefix)));
    expect(mine.length).toBeGreaterThan(0);
    for (const { announced, communities } of mine) {
      expect(communities).toEqual([community]);
      expect(announced.filter((one) => !one.startsWith(prefix))).toEqual([]);
    }
  }
  // Nothing is announced twice or taken back by halves: each round tells each address once.
  expect(announcedOf(wire, worlds[0].network)).toBe((ROUNDS / 2) * SERVICES);
  expect(announcedOf(wire, worlds[1].network)).toBe((ROUNDS / 2) * SERVICES);
  expect(seconds).toHaveLength(ROUNDS / 2);
  for (const one of seconds) {
    for (const { announced, communities } of updatesOf(one)) {
      expect(announced.filter((address) => !address.startsWith(worlds[1].network))).toEqual([]);
      expect(announced.length === 0 ? [worlds[1].community] : communities).toEqual([
        worlds[1].community,
      ]);
    }
  }
  expect(wire.closed()).toBe(false);
}, 180_000);
