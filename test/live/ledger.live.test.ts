/**
 * Addresses that carry no mark, as on kernels before 5.18 (IFA_PROTO): the log alone says which of them are ours.
 *
 * The mark is taken off by hand (`ip address replace` without one). Read next: ../../agent/pipeline/kernel.ts (ledgerOf).
 */
import { beforeEach, expect, test } from "vitest";
import { skipUnless } from "../probe.ts";
import { startAgent } from "./agent.ts";
import {
  advertisementManifest,
  ALWAYS,
  documents,
  peerManifest,
  poolManifest,
  serviceManifest,
} from "./manifests.ts";
import { makeNetwork, type Node } from "./netns.ts";
import { until } from "./until.ts";

beforeEach(skipUnless("netns"));

const VIPS = ["192.0.2.1/32", "2001:db8::1/128"];
const THEIRS = ["192.0.2.9/32", "2001:db8::9/128"];

type Bound = { readonly local: string; readonly prefixlen: number; readonly protocol?: string };
async function bound(host: Node): Promise<Readonly<Record<string, string>>> {
  const [link] = JSON.parse(await host.ip("-j", "address", "show", "dev", "lo")) as {
    addr_info: Bound[];
  }[];
  return Object.fromEntries(
    (link?.addr_info ?? [])
      .filter(({ local }) => /^(192\.0\.2|2001:db8)/.test(local))
      .map(({ local, prefixlen, protocol }) => [`${local}/${prefixlen}`, protocol ?? ""]),
  );
}
const unmarked = async (host: Node, addresses: readonly string[]): Promise<void> => {
  for (const one of addresses) await host.ip("address", "replace", one, "dev", "lo");
};
const none = (...addresses: readonly string[]) =>
  Object.fromEntries(addresses.map((one) => [one, ""]));

test("come back when taken, stay over kill -9, and go with their Service; those of others stay", async () => {
  await using network = await makeNetwork(["host"]);
  const { host } = network.nodes;
  await using first = await startAgent(host, { config: ALWAYS });
  await unmarked(host, THEIRS);
  await first.apply(
    documents(
      poolManifest(VIPS),
      advertisementManifest(),
      peerManifest({ localAs: 64512, remoteAs: 64999, address: "10.99.0.77", dualStack: true }),
      serviceManifest("s", { ipFamilyPolicy: "RequireDualStack" }),
    ),
  );
  const shows = (wanted: readonly string[], what: string) =>
    until(
      async () =>
        Object.keys(await bound(host))
          .toSorted()
          .join() === wanted.toSorted().join(),
      { what, explain: first.explain },
    );
  await shows([...VIPS, ...THEIRS], "the virtual IPs");
  await unmarked(host, VIPS);
  expect(await bound(host)).toEqual(none(...VIPS, ...THEIRS));

  await host.ip("address", "del", VIPS[0] ?? "", "dev", "lo");
  await host.ip("address", "del", VIPS[1] ?? "", "dev", "lo");
  await shows([...VIPS, ...THEIRS], "the repair");
  await unmarked(host, VIPS);

  await first.kill();
  await using second = await first.restart();
  expect(await bound(host)).toEqual(none(...VIPS, ...THEIRS));
  await second.rutter("delete", "service", "s");
  await shows(THEIRS, "those of others alone");
  expect(await bound(host)).toEqual(none(...THEIRS));
});
