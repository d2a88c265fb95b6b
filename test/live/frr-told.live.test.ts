/**
 * What the rendering of own routes and receive rules means on the wire: FRR's bgpd as our speaker, given rendered lines alone, and
 * another one that tells what arrived.
 */
import { beforeEach, expect, test } from "vitest";
import { routeChanges } from "../../backends/delta.ts";
import { NO_TAGS, tagsOf } from "../../backends/frr/render/numbers.ts";
import { render } from "../../backends/frr/render/render.ts";
import { routeLines } from "../../backends/frr/render/routes.ts";
import type { NeighborIntent, SpeakerIntent } from "../../backends/intent.ts";
import { address } from "../../events/address.ts";
import { asn } from "../../events/ids.ts";
import { prefix } from "../../events/prefix.ts";
import {
  type Group,
  keyOf,
  neighbor,
  reveal,
  router,
  routes,
  speaker,
  to,
  VERSION_8,
} from "../frr/intents.ts";
import { commandsOf } from "../frr/text.ts";
import { skipUnless } from "../probe.ts";
import { startFrr } from "./frr.ts";
import { type FrrDaemons, startFrrDaemons } from "./frr-daemons.ts";
import { makeNetwork, type Node } from "./netns.ts";
import type { Router, RouterRoute } from "./router.ts";
import { until } from "./until.ts";

beforeEach(skipUnless("netns", "frr"));

const OUR_AS = 64_512;
const [PLAIN, TAGGED, HOPPING, HOPPING6, SECRET] = [
  "198.51.100.1/32",
  "198.51.100.2/32",
  "198.51.100.3/32",
  "2001:db8:1::3/128",
  "198.51.100.4/32",
] as const;

const startFar = (
  node: Node,
  host: Node,
  theirAs: number,
  networks: readonly string[] = [],
): Promise<Router> =>
  startFrr(node, {
    asn: theirAs,
    routerId: node.ipv4,
    networks,
    neighbours: [{ name: "host", address: host.ipv4, asn: OUR_AS }],
  });

const session = (node: Node, theirAs: number, said: Partial<NeighborIntent> = {}): NeighborIntent =>
  neighbor(node.ipv4, {
    remoteAs: { type: "asn", asn: asn(theirAs) },
    families: ["ipv4", "ipv6"],
    connectRetrySeconds: 1,
    ...said,
  });

const intentOf = (
  host: Node,
  neighbors: readonly NeighborIntent[],
  ...groups: readonly Group[]
): SpeakerIntent =>
  speaker([router(neighbors, { routerId: address(host.ipv4), routes: routes(...groups) })]);

async function configure(daemons: FrrDaemons, commands: readonly string[]): Promise<void> {
  const answers = await daemons.ask("bgpd", ["configure terminal", ...commands]);
  expect(answers.filter(({ status }) => status !== 0)).toEqual([]);
}

const first = (intent: SpeakerIntent) =>
  render(intent, { version: VERSION_8, reveal, tags: NO_TAGS });

/** What a test compares of a route. */
const shown = ({
  prefix: of,
  nextHop,
  med,
  localPref,
  communities,
  largeCommunities,
}: RouterRoute) => ({
  [of]: { nextHop, med, localPref, communities, largeCommunities },
});
const tableOf = async (far: Router): Promise<object> =>
  Object.assign({}, ...(await far.routes()).map(shown));

test("each neighbour is told its classes, with their attributes, and nothing else", async () => {
  await using network = await makeNetwork(["host", "outside", "inside"]);
  const { host, outside, inside } = network.nodes;
  await using daemons = await startFrrDaemons(host);
  await using external = await startFar(outside, host, 64_513);
  await using internal = await startFar(inside, host, OUR_AS);
  const [out, within] = [keyOf(outside.ipv4), keyOf(inside.ipv4)];
  const intent = intentOf(
    host,
    [session(outside, 64_513), session(inside, OUR_AS, { timeToLive: 255 })],
    [to([out, within]), PLAIN],
    [
      to([out, within], {
        localPref: 250,
        med: 7,
        communities: [0xfde80001],
        largeCommunities: ["65000:1:2"],
      }),
      TAGGED,
    ],
    [to([out], { nextHop: address("10.99.0.77") }), HOPPING],
    [to([out], { nextHop: address("fd99::77") }), HOPPING6],
    [to([within]), SECRET],
  );
  await configure(daemons, commandsOf(first(intent).bgpd));
  const explain = async () => `${await external.explain()}\n${await internal.explain()}`;
  await until(async () => (await external.routes()).length === 4, {
    what: "routes outside",
    explain,
  });
  await until(async () => (await internal.routes()).length === 3, {
    what: "routes inside",
    explain,
  });

  const none = { communities: [], largeCommunities: [] };
  const words = { communities: ["65000:1"], largeCommunities: ["65000:1:2"] };
  const outward = { localPref: undefined, med: 0, ...none };
  expect(await tableOf(external)).toEqual({
    [PLAIN]: { nextHop: host.ipv4, ...outward },
    [TAGGED]: { nextHop: host.ipv4, localPref: undefined, med: 7, ...words },
    [HOPPING]: { nextHop: "10.99.0.77", ...outward },
    [HOPPING6]: { nextHop: "fd99::77", ...outward },
  });
  const inward = { nextHop: host.ipv4, localPref: 100, med: 0, ...none };
  expect(await tableOf(internal)).toEqual({
    [PLAIN]: inward,
    [TAGGED]: { nextHop: host.ipv4, localPref: 250, med: 7, ...words },
    [SECRET]: inward,
  });
});

test("a class told otherwise moves its routes to another tag; nothing else is said; a route is withdrawn, and no session ends", async () => {
  await using network = await makeNetwork(["host", "outside"]);
  const { host, outside } = network.nodes;
  await using daemons = await startFrrDaemons(host);
  await using far = await startFar(outside, host, 64_513);
  const key = keyOf(outside.ipv4);
  const peer = session(outside, 64_513);
  const before = intentOf(host, [peer], [to([key]), PLAIN, TAGGED]);
  const start = first(before);
  await configure(daemons, commandsOf(start.bgpd));
  const explain = () => far.explain();
  await until(async () => (await far.routes()).length === 2, { what: "both routes", explain });

  const after = intentOf(host, [peer], [to([key]), PLAIN], [to([key], { med: 9 }), TAGGED]);
  const next = render(after, { version: VERSION_8, reveal, tags: tagsOf(start.bgpd) });
  const maps = [...next.bgpd].filter(([line]) => !start.bgpd.has(line));
  expect(maps.map(([line]) => line.split(" ").slice(0, 2).join(" "))).toEqual([
    "route-map rutter-1870000002",
    `route-map ${outside.ipv4}-out`,
  ]);
  await configure(daemons, commandsOf(new Map(maps)));
  await configure(daemons, routeLines(routeChanges(before, after), next.classes) ?? []);
  await until(async () => (await far.route(TAGGED))?.med === 9, { what: "the new MED", explain });
  expect((await far.route(PLAIN))?.med).toBe(0);

  const less = intentOf(host, [peer], [to([key]), PLAIN]);
  await configure(daemons, routeLines(routeChanges(after, less), next.classes) ?? []);
  await until(async () => (await far.routes()).length === 1, { what: "one route less", explain });
  expect(await far.session(host.ipv4)).toMatchObject({ timesEstablished: 1, timesLost: 0 });
});

test("what is blocked is never accepted, what is listed is, and the rest is kept and refused", async () => {
  await using network = await makeNetwork(["host", "outside"]);
  const { host, outside } = network.nodes;
  await using daemons = await startFrrDaemons(host);
  const told = [
    "203.0.113.0/24",
    "203.0.112.0/25",
    "10.1.0.0/16",
    "2001:db8:2::/48",
    "192.0.2.0/24",
  ];
  await using far = await startFar(outside, host, 64_513, told);
  const list = (text: string, atLeast: number, atMost: number) => ({
    prefix: prefix(text),
    atLeast,
    atMost,
  });
  const peer = session(outside, 64_513, {
    receive: {
      type: "prefixes",
      prefixes: [
        list("203.0.112.0/20", 20, 24),
        list("10.0.0.0/8", 8, 32),
        list("2001:db8::/32", 48, 48),
      ],
    },
    receiveGuard: { alwaysBlock: [prefix("10.1.0.0/16")], maximumPrefixes: {}, checkFirstAs: true },
  });
  await configure(daemons, commandsOf(first(intentOf(host, [peer])).bgpd));

  type Count = Readonly<Record<string, { readonly pfxRcd: number } | undefined>>;
  const accepted = async (family: string): Promise<readonly string[]> => {
    const [answer] = await daemons.ask("bgpd", [`show bgp ${family} unicast json`]);
    const table: { routes?: object } = JSON.parse(answer?.text ?? "{}");
    return Object.keys(table.routes ?? {});
  };
  const kept = async (): Promise<readonly string[]> => {
    const [answer] = await daemons.ask("bgpd", [
      `show bgp ipv4 unicast neighbors ${outside.ipv4} received-routes json`,
    ]);
    const table: { receivedRoutes?: Count } = JSON.parse(answer?.text ?? "{}");
    return Object.keys(table.receivedRoutes ?? {}).toSorted();
  };
  const explain = () => far.explain();
  await until(async () => (await accepted("ipv6")).length > 0, { what: "an IPv6 route", explain });
  await until(async () => (await kept()).length === 4, { what: "its IPv4 routes", explain });
  expect(await accepted("ipv4")).toEqual(["203.0.113.0/24"]);
  expect(await accepted("ipv6")).toEqual(["2001:db8:2::/48"]);
  expect(await kept()).toEqual(told.filter((one) => !one.includes(":")).toSorted());
});
