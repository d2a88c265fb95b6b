/**
 * GoBGP behind the seam: a real gobgpd driven by the backend, BIRD and FRR as the far ends.
 *
 * What counts is what the far end holds, and how often its session came up.
 */
import { beforeEach, describe, expect, test } from "vitest";
import type { Export, NeighborIntent } from "../../backends/intent.ts";
import { asn } from "../../events/ids.ts";
import { skipUnless } from "../probe.ts";
import { startBird } from "./bird.ts";
import { startFrr } from "./frr.ts";
import { driveGobgpd, intentOf, never, plainly, startGobgpd } from "./gobgpd.ts";
import { makeNetwork } from "./netns.ts";
import type { Neighbour } from "./router.ts";
import { keyOf, spokenNeighbor } from "./speaker.ts";
import { until } from "./until.ts";

beforeEach(skipUnless("netns", "bird", "frr", "gobgp"));

const HOST_AS = 64512;
const FAR_AS = 64999;

const far = (address: string, more: Partial<Neighbour> = {}): Neighbour => ({
  name: "host",
  address,
  asn: HOST_AS,
  ...more,
});
const toPeer = (remote: string, more: Partial<NeighborIntent> = {}): NeighborIntent =>
  spokenNeighbor(remote, {
    backend: "gobgp",
    remoteAs: { type: "asn", asn: asn(FAR_AS) },
    ...more,
  });

describe("what is announced stands in the far end's table", () => {
  test("with all its attributes, in an AS and outside, one more prefix and a withdrawal without a reset", async () => {
    await using network = await makeNetwork(["host", "bird", "frr"]);
    const { host, bird: outside, frr: inside } = network.nodes;
    await using bird = await startBird(outside, {
      asn: FAR_AS,
      routerId: outside.ipv4,
      neighbours: [far(host.ipv4, { password: "k3y" })],
    });
    await using frr = await startFrr(inside, {
      asn: HOST_AS,
      routerId: inside.ipv4,
      neighbours: [far(host.ipv4)],
    });
    await using gobgpd = await startGobgpd(host);
    await using driven = driveGobgpd(gobgpd.socket);
    const neighbors = [
      toPeer(outside.ipv4, {
        authentication: {
          type: "tcp-md5",
          secret: { name: "k3y", version: 1, digest: "d" } as never,
        },
      }),
      toPeer(inside.ipv4, { remoteAs: { type: "internal" } }),
    ];
    const keys = neighbors.map(({ key }) => key);
    const rich: Export = {
      to: keys,
      attributes: {
        localPref: 321,
        med: 7,
        communities: [((64512 << 16) >>> 0) | 70, 0xffff_ff01],
        largeCommunities: ["64512:1:2"],
        nextHop: undefined,
      },
    };
    const elsewhere: Export = {
      to: keys.slice(0, 1),
      attributes: { ...plainly, nextHop: host.ipv4.replace(/1$/, "77") as never },
    };
    const routes = { "203.0.113.1/32": [rich], "203.0.113.2/32": [elsewhere] };
    await driven.backend.apply(intentOf({ neighbors, routes }), never());
    for (const key of keys) await driven.established(key);
    const explain = async () =>
      `${driven.explain()}\n${await bird.explain()}\n${await frr.explain()}`;
    const [atBird, atFrr] = await Promise.all([
      until(() => bird.route("203.0.113.1/32"), { what: "the route in BIRD", explain }),
      until(() => frr.route("203.0.113.1/32"), { what: "the route in FRR", explain }),
    ]);
    const both = {
      nextHop: host.ipv4,
      med: 7,
      communities: ["64512:70", "65535:65281"],
      largeCommunities: ["64512:1:2"],
    };
    // Sent inside an AS only; BIRD gives what came without it its own 100.
    expect(atBird).toMatchObject({ ...both, asPath: [HOST_AS], localPref: 100 });
    expect(atFrr).toMatchObject({ ...both, asPath: [], localPref: 321 });
    expect(await bird.route("203.0.113.2/32")).toMatchObject({
      nextHop: "10.99.0.77",
      communities: [],
    });
    expect(await frr.route("203.0.113.2/32")).toBeUndefined();

    await driven.backend.apply(
      intentOf({ neighbors, routes: { ...routes, "203.0.113.3/32": [rich] } }),
      never(),
    );
    await until(() => frr.route("203.0.113.3/32"), { what: "one more", explain });
    await driven.backend.apply(
      intentOf({ neighbors, routes: { "203.0.113.3/32": [elsewhere] } }),
      never(),
    );
    await until(async () => (await frr.route("203.0.113.3/32")) === undefined, {
      what: "its end for FRR",
      explain,
    });
    await until(async () => (await bird.route("203.0.113.3/32"))?.nextHop === "10.99.0.77", {
      what: "its change",
      explain,
    });
    expect(await bird.route("203.0.113.1/32")).toBeUndefined();
    expect((await driven.advertised()).map((one) => [one.prefix, one.neighbor])).toEqual([
      ["203.0.113.3/32", keyOf(outside.ipv4)],
    ]);
    expect(await bird.session(host.ipv4)).toMatchObject({ timesEstablished: 1 });
    expect(await frr.session(host.ipv4)).toMatchObject({ timesEstablished: 1 });
  });
});
