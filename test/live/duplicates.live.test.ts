/**
 * Virtual IPs on a link where another host has the same address: not announced, with the reason, until that one is gone.
 *
 * Read next: ../../backends/kernel/duplicates.ts.
 */
import { beforeEach, expect, test } from "vitest";
import { skipUnless } from "../probe.ts";
import { startAgent } from "./agent.ts";
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
import { until } from "./until.ts";

beforeEach(skipUnless("netns", "bird"));

/** The second try comes after ten seconds, the next after twenty more. */
const PATIENCE_MS = 60_000;
const OTHERS = { ipv4: "198.51.100.1", ipv6: "2001:db8::1" } as const;
const FREE = { ipv4: "198.51.100.2", ipv6: "2001:db8::2" } as const;

test.for([
  {
    family: "ipv4",
    length: 32,
    says: /another host on eth0 has 198\.51\.100\.1 \([0-9a-f:]{17} answers ARP\)/,
  },
  {
    family: "ipv6",
    length: 128,
    says: /another host on eth0 has 2001:db8::1 \(duplicate address detection failed\)/,
  },
] as const)(
  "$family: an address of another is not announced, and is when that one has gone",
  { timeout: 120_000 },
  async ({ family, length, says }) => {
    await using network = await makeNetwork(["host", "router", "other"]);
    const { host, router, other } = network.nodes;
    const [taken, free] = [OTHERS[family], FREE[family]];
    await host.run(["sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/eth0/accept_dad"]);
    await other.ip(
      "address",
      "add",
      `${taken}/${length}`,
      "dev",
      "eth0",
      ...(family === "ipv6" ? ["nodad"] : []),
    );
    await using bird = await startBird(router, {
      asn: 64999,
      routerId: router.ipv4,
      neighbours: [{ name: "host", address: host[family], asn: 64512, families: [family] }],
    });
    await using agent = await startAgent(host, {
      config: `${ALWAYS}kernel: {bindAddresses: eth0}\n`,
    });
    const families = { ipFamilies: [family === "ipv4" ? "IPv4" : "IPv6"] };
    await agent.apply(
      documents(
        poolManifest([`${taken}/${length}`, `${free}/${length}`]),
        advertisementManifest(),
        peerManifest({
          localAs: 64512,
          remoteAs: 64999,
          address: router[family],
        }),
        serviceManifest("taken", { ...families, loadBalancerIP: taken }),
        serviceManifest("free", { ...families, loadBalancerIP: free }),
      ),
    );
    const explain = async () => `${await agent.explain()}\n${await host.ip("address")}`;
    await until(() => bird.route(`${free}/${length}`), { what: "the free one", explain });
    const reason = async () =>
      (
        await agent.ask<{ services: { name: string; service: string; reason: string }[] }>("status")
      ).services
        .map((one) => one.reason)
        .join();
    await until(async () => says.test(await reason()), { what: "the reason", explain });
    expect(await bird.route(`${taken}/${length}`)).toBeUndefined();
    expect((await agent.rutter("why", taken)).stdout).toMatch(says);

    await other.ip("address", "del", `${taken}/${length}`, "dev", "eth0");
    await until(() => bird.route(`${taken}/${length}`), {
      what: "the other one",
      timeoutMs: PATIENCE_MS,
      explain,
    });
    expect(await reason()).toBe(",");
    expect(await host.ip("address", "show", "dev", "eth0")).toContain(`${taken}/${length}`);
  },
);
