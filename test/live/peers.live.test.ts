/**
 * The witnesses are sound: BIRD and FRR, started by this harness, peer with each other and show what the other sent.
 *
 * Every other live test judges our speaker by what these two say, so they are tried on each other first.
 */
import { beforeEach, describe, expect, test } from "vitest";
import { skipUnless } from "../probe.ts";
import { startBird } from "./bird.ts";
import { startFrr } from "./frr.ts";
import { makeNetwork, type Node } from "./netns.ts";
import type { Router, RouterPlan, Tag } from "./router.ts";
import { pause, until } from "./until.ts";

beforeEach(skipUnless("netns", "bird", "frr", "tcp-md5"));

const BIRD_ASN = 65001;
const BIRD_NETWORKS = ["203.0.113.0/24", "2001:db8:1::/48"];
const FRR_NETWORKS = ["198.51.100.0/24", "2001:db8:2::/48"];

type Pairing = {
  readonly transport: "ipv4" | "ipv6";
  readonly frrAsn: number;
  readonly password?: string;
};

function plans(bird: Node, frr: Node, pairing: Pairing): { bird: RouterPlan; frr: RouterPlan } {
  const { transport, frrAsn } = pairing;
  const key = pairing.password === undefined ? {} : { password: pairing.password };
  return {
    bird: {
      asn: BIRD_ASN,
      routerId: bird.ipv4,
      networks: BIRD_NETWORKS,
      neighbours: [{ name: "frr", address: frr[transport], asn: frrAsn, ...key }],
    },
    frr: {
      asn: frrAsn,
      routerId: frr.ipv4,
      networks: FRR_NETWORKS,
      neighbours: [{ name: "bird", address: bird[transport], asn: BIRD_ASN, ...key }],
    },
  };
}

const graceful = (plan: RouterPlan): RouterPlan => ({
  ...plan,
  neighbours: plan.neighbours.map((neighbour) => ({ ...neighbour, gracefulRestart: true })),
});

const settled = (router: Router, prefixes: readonly string[]) => () =>
  router.routes().then((routes) => routes.length === prefixes.length && routes);

const pairings: readonly (Pairing & { readonly title: string })[] = [
  { title: "eBGP over IPv4", transport: "ipv4", frrAsn: 65002 },
  { title: "eBGP over IPv6", transport: "ipv6", frrAsn: 65002 },
  { title: "iBGP over IPv4 with MD5", transport: "ipv4", frrAsn: BIRD_ASN, password: "s3cret" },
  { title: "eBGP over IPv6 with MD5", transport: "ipv6", frrAsn: 65002, password: "s3cret" },
];

describe("BIRD and FRR", () => {
  test.for(pairings)("exchange both families: $title", async (pairing) => {
    await using network = await makeNetwork(["bird", "frr"]);
    const { nodes } = network;
    const plan = plans(nodes.bird, nodes.frr, pairing);
    await using bird = await startBird(nodes.bird, plan.bird);
    await using frr = await startFrr(nodes.frr, plan.frr);
    const explain = async () => `${await bird.explain()}\n${await frr.explain()}`;

    const atBird = await until(settled(bird, FRR_NETWORKS), { what: "FRR's routes", explain });
    const atFrr = await until(settled(frr, BIRD_NETWORKS), { what: "BIRD's routes", explain });

    const external = pairing.frrAsn !== BIRD_ASN;
    expect(atBird).toMatchObject([
      { prefix: "198.51.100.0/24", nextHop: nodes.frr.ipv4, best: true, stale: false },
      { prefix: "2001:db8:2::/48", nextHop: nodes.frr.ipv6, best: true, origin: "igp" },
    ]);
    expect(atBird.map((route) => route.asPath)).toEqual(
      FRR_NETWORKS.map(() => (external ? [pairing.frrAsn] : [])),
    );
    expect(atFrr).toMatchObject([
      { prefix: "203.0.113.0/24", nextHop: nodes.bird.ipv4, best: true, stale: false },
      { prefix: "2001:db8:1::/48", nextHop: nodes.bird.ipv6, best: true, origin: "igp" },
    ]);
    expect(atFrr[0]?.from).toBe(nodes.bird[pairing.transport]);
    expect(await bird.session(nodes.frr[pairing.transport])).toMatchObject({
      established: true,
      timesEstablished: 1,
      timesLost: 0,
    });
    expect(await frr.session(nodes.bird[pairing.transport])).toMatchObject({
      established: true,
      timesEstablished: 1,
      timesLost: 0,
    });
  });

  test("do not come together with different MD5 keys", async () => {
    await using network = await makeNetwork(["bird", "frr"]);
    const { nodes } = network;
    const plan = plans(nodes.bird, nodes.frr, { transport: "ipv4", frrAsn: 65002, password: "a" });
    const other = plans(nodes.bird, nodes.frr, { transport: "ipv4", frrAsn: 65002, password: "b" });
    await using bird = await startBird(nodes.bird, plan.bird);
    await using frr = await startFrr(nodes.frr, other.frr);
    await pause(3_000);
    expect(await bird.session(nodes.frr.ipv4)).toMatchObject({ established: false });
    expect(await frr.session(nodes.bird.ipv4)).toMatchObject({ timesEstablished: 0 });
  });

  test("show every attribute that the other set", async () => {
    await using network = await makeNetwork(["bird", "frr"]);
    const { nodes } = network;
    const plan = plans(nodes.bird, nodes.frr, { transport: "ipv6", frrAsn: 65002 });
    const tag: Tag = {
      med: 70,
      communities: ["65001:30", "65001:200", "65535:0"],
      largeCommunities: ["65001:1:2", "4200000000:7:8"],
    };
    await using bird = await startBird(nodes.bird, { ...plan.bird, tag });
    await using frr = await startFrr(nodes.frr, { ...plan.frr, tag });
    const explain = async () => `${await bird.explain()}\n${await frr.explain()}`;

    for (const [router, prefix] of [
      [frr, "203.0.113.0/24"],
      [frr, "2001:db8:1::/48"],
      [bird, "198.51.100.0/24"],
      [bird, "2001:db8:2::/48"],
    ] as const) {
      const route = await until(() => router.route(prefix), { what: prefix, explain });
      expect(route).toMatchObject(tag);
    }
  });

  test("count a session that was lost, and the one after it", async () => {
    await using network = await makeNetwork(["bird", "frr"]);
    const { nodes } = network;
    const plan = plans(nodes.bird, nodes.frr, { transport: "ipv4", frrAsn: 65002 });
    await using bird = await startBird(nodes.bird, plan.bird);
    await using frr = await startFrr(nodes.frr, plan.frr);
    const explain = async () => `${await bird.explain()}\n${await frr.explain()}`;
    const atFrr = () => frr.session(nodes.bird.ipv4);
    const atBird = () => bird.session(nodes.frr.ipv4);
    await until(() => atFrr().then((one) => one.established), { what: "the session", explain });

    await bird.ask("disable frr");
    await until(() => atFrr().then((one) => one.timesLost === 1), { what: "its loss", explain });
    await until(() => frr.routes().then((all) => all.length === 0), { what: "none", explain });
    await bird.ask("enable frr");
    await until(() => atBird().then((one) => one.timesEstablished === 2), {
      what: "the second session",
      explain,
    });
    expect(await atBird()).toMatchObject({ timesLost: 1 });
  });

  test("keep a restarted neighbour's routes as stale where graceful restart was agreed", async () => {
    await using network = await makeNetwork(["bird", "frr"]);
    const { nodes } = network;
    const plan = plans(nodes.bird, nodes.frr, { transport: "ipv4", frrAsn: 65002 });
    const bird = await startBird(nodes.bird, graceful(plan.bird));
    await using frr = await startFrr(nodes.frr, graceful(plan.frr));
    const explain = () => frr.explain();
    const route = () => frr.route("203.0.113.0/24");
    await until(route, { what: "BIRD's route", explain });

    await bird.stop("SIGKILL");
    const stale = () => route().then((one) => one?.stale === true && one);
    expect(await until(stale, { what: "the stale route", explain })).toMatchObject({ best: true });
  });
});
