/**
 * A host with gobgpd and BIRD beside it: what tests of the GoBGP backend have in common.
 *
 * Read next: gobgpd.ts, gobgp.live.test.ts.
 */
import type { Export, NeighborIntent } from "../../backends/intent.ts";
import { asn } from "../../events/ids.ts";
import { startBird } from "./bird.ts";
import { plainly, startGobgpd } from "./gobgpd.ts";
import { makeNetwork } from "./netns.ts";
import type { Neighbour } from "./router.ts";
import { keyOf, spokenNeighbor } from "./speaker.ts";

export const HOST_AS = 64512;
export const FAR_AS = 64999;

export const far = (address: string, more: Partial<Neighbour> = {}): Neighbour => ({
  name: "host",
  address,
  asn: HOST_AS,
  ...more,
});
export const toPeer = (remote: string, more: Partial<NeighborIntent> = {}): NeighborIntent =>
  spokenNeighbor(remote, {
    backend: "gobgp",
    remoteAs: { type: "asn", asn: asn(FAR_AS) },
    ...more,
  });

/** A host with gobgpd and BIRD beside it. */
export async function pair(networks: readonly string[] = [], more: Partial<Neighbour> = {}) {
  const network = await makeNetwork(["host", "bird"]);
  const { host, bird: node } = network.nodes;
  const bird = await startBird(node, {
    asn: FAR_AS,
    routerId: node.ipv4,
    neighbours: [far(host.ipv4, more)],
    networks,
  });
  const gobgpd = await startGobgpd(host);
  return {
    host,
    node,
    bird,
    gobgpd,
    key: keyOf(node.ipv4),
    async [Symbol.asyncDispose]() {
      await gobgpd[Symbol.asyncDispose]();
      await bird[Symbol.asyncDispose]();
      await network[Symbol.asyncDispose]();
    },
  };
}

export const VIP = "203.0.113.1/32";
export const toAll = (...to: readonly Export["to"][number][]): readonly Export[] => [
  { to, attributes: plainly },
];
