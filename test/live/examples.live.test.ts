/**
 * Manifests that users have today apply as they are, with the outcome that their first lines promise as far as this version
 * carries it. In a namespace, because their peers are addresses of somebody else's network.
 */
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { SHARED, skipUnless } from "../probe.ts";
import { type Agent, startAgent } from "./agent.ts";
import { ALWAYS } from "./manifests.ts";
import { makeNetwork } from "./netns.ts";
import { until } from "./until.ts";

beforeEach(skipUnless("netns", "shared-examples"));

type Told = {
  readonly kind: string;
  readonly name: string;
  readonly result: string;
  readonly notes: readonly string[];
};
type Intent = {
  readonly bfd: readonly object[];
  readonly routers: readonly {
    readonly key: string;
    readonly neighbors: readonly {
      readonly name: string;
      readonly holdTime: number;
      readonly key: string;
    }[];
    readonly routes: readonly {
      readonly prefix: string;
      readonly exports: readonly {
        readonly to: readonly string[];
        readonly communities: readonly string[];
        readonly localPref: number | null;
      }[];
    }[];
  }[];
};

/** Applies one example on a fresh agent, as wk3 of the rack that example 05 selects. */
async function applied(
  name: string,
  check: (told: readonly Told[], intent: Intent, agent: Agent) => Promise<void> | void,
): Promise<void> {
  await using network = await makeNetwork(["host"]);
  const config = `${ALWAYS}node: {name: wk3, labels: {node-role.kubernetes.io/worker-virt: ""}}\n`;
  await using agent = await startAgent(network.nodes.host, { config });
  const answer = await agent.ask<{ resources: readonly Told[] }>(
    "apply",
    "-f",
    join(SHARED, "examples", name),
  );
  await check(answer.resources, await agent.ask<Intent>("get", "intent"), agent);
}

const prefixes = (intent: Intent): readonly string[] =>
  intent.routers.flatMap(({ routes }) => routes.map(({ prefix }) => prefix)).toSorted();
const peers = (intent: Intent): readonly string[] =>
  intent.routers.flatMap(({ neighbors }) => neighbors.map(({ name }) => name)).toSorted();
const resultOf = (told: readonly Told[], kind: string, name: string): Told | undefined =>
  told.find((one) => one.kind === kind && one.name === name);

describe("an example applies unchanged", () => {
  test("01: the Service gets 172.16.200.1, the peer the /24, and why warns of it", () =>
    applied("01-ecmp-bfd-service.yaml", async (told, intent, agent) => {
      expect(resultOf(told, "Service", "my-nginx-svc")?.notes).toContain("address 172.16.200.1");
      expect(resultOf(told, "BGPPeer", "bgp-peer")?.notes).toEqual([]);
      expect(intent.bfd).toMatchObject([
        { transmitInterval: 25, receiveInterval: 25, multihop: false },
      ]);
      expect(prefixes(intent)).toEqual(["172.16.200.0/24"]);
      const { stdout } = await agent.rutter("why", "172.16.200.1");
      expect(stdout).toContain("may not serve");
    }));

  test("02: two routers' worth of peers, community and localPref on what each is told", () =>
    applied("02-two-pools-two-peers.yaml", async (_told, _intent, agent) => {
      const service = `apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {type: LoadBalancer, ports: [{port: 80}]}`;
      await agent.apply(service);
      const intent = await agent.ask<Intent>("get", "intent");
      expect(peers(intent)).toEqual(["peer1", "peer2"]);
      expect(intent.routers[0]?.routes[0]).toMatchObject({
        prefix: "4.4.4.100/32",
        exports: [{ to: ["|10.0.0.1|"], communities: ["65535:65282"], localPref: 100 }],
      });
    }));

  test("03: the VRF peer waits with its reason, foreign kinds are not applicable", () =>
    applied("03-vrf.yaml", async (told, _intent, agent) => {
      // By the plan where the kernel has no VRFs, by the speaker where it has.
      expect(await agent.ask<object[]>("peers")).toMatchObject([
        {
          name: "frrviavrf",
          state: "Refused",
          reason: expect.stringMatching(/^VRF (device )?ens4vrf/),
        },
      ]);
      expect(told.filter(({ result }) => result === "not-applicable")).toHaveLength(2);
      expect(resultOf(told, "Service", "server1")?.notes).toContain("address 192.169.10.0");
    }));

  test("04: selected peers only, one set aside for its missing profile, one of each family", () =>
    applied("04-node-selector-bfd-dual-stack.yaml", (told, intent) => {
      expect(peers(intent)).toEqual(["doc-example-dual-stack-ipv4", "doc-example-dual-stack-ipv6"]);
      expect(resultOf(told, "BGPPeer", "doc-example-peer-bfd")).toMatchObject({
        result: "quarantined",
      });
    }));

  test("05: one neighbour of two owners: told the host route, and everything accepted", () =>
    applied("05-receive-routes.yaml", (told, intent) => {
      expect(prefixes(intent)).toEqual(["172.19.20.181/32"]);
      expect(intent.routers.flatMap(({ neighbors }) => neighbors)).toMatchObject([
        { name: "bgppeer-r2", key: "|172.18.20.1|", receive: { type: "everything" } },
      ]);
      expect(resultOf(told, "FRRConfiguration", "receive-all")).toMatchObject({
        result: "created",
        notes: [],
      });
    }));

  test("06: the default VRF's neighbour takes exactly its host route; vrf1 waits with its reason", () =>
    applied("06-generated-frrconfiguration.yaml", async (_told, intent, agent) => {
      expect(intent.routers.filter(({ key }) => key === "|65801|")).toMatchObject([
        {
          neighbors: [{ name: "172.18.20.1", receive: { type: "prefixes" } }],
          routes: [{ prefix: "172.19.20.181/32" }],
        },
      ]);
      expect(await agent.ask<object[]>("peers")).toContainEqual(
        expect.objectContaining({ vrf: "vrf1", state: "Refused" }),
      );
    }));

  test("07: the Service's own traffic takes table 11; the VRF waits, the device is the operator's", () =>
    applied("07-vrf-egress.yaml", async (told, _intent, agent) => {
      expect(told.filter(({ result }) => !["created", "not-applicable"].includes(result))).toEqual(
        [],
      );
      expect(await agent.ask<object[]>("peers")).toMatchObject([
        { name: "bgppeer-vrf1", state: "Refused" },
      ]);
      expect(told.flatMap(({ notes }) => notes).join()).not.toContain("not carried yet");
    }));

  test.for(["08-network-gateway.yaml", "11-bgpextras.yaml"])(
    "%s: stored, and said to be not carried yet",
    (name) =>
      applied(name, (told) => {
        expect(
          told.filter(({ result }) => !["created", "not-applicable"].includes(result)),
        ).toEqual([]);
        expect(told.flatMap(({ notes }) => notes).join()).toContain("not carried yet");
      }),
  );

  test("09: is refused with the lines to mend, changes nothing, and is read as meant with --lenient", async () => {
    await using network = await makeNetwork(["host"]);
    await using agent = await startAgent(network.nodes.host, { config: ALWAYS });
    const file = join(SHARED, "examples", "09-network-gateway-as-found.yaml");
    const applies = async () =>
      (await agent.rutter("log", "--type", "applied", "-o", "json")).stdout;
    await until(async () => (await applies()) !== "", { what: "the last fact of a start" });
    const before = await agent.ask<{ logSeq: number }>("status");
    const refused = await agent.rutter("apply", "-f", file);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(
      /09-network-gateway-as-found\.yaml:6:1: .*belong under metadata/,
    );
    expect(refused.stderr).toMatch(/:18:3: .*belong under spec/);
    expect((await agent.ask<{ logSeq: number }>("status")).logSeq).toBe(before.logSeq);
    expect((await agent.rutter("apply", "-f", file, "--lenient")).code).toBe(0);
  });
});

describe("the manifests directory", () => {
  test("is read at the start, followed, and never believed when it is gone", async () => {
    await using network = await makeNetwork(["host"]);
    const { host } = network.nodes;
    const directory = join(host.directory, "manifests.d");
    const write = (name: string, text: string) =>
      host.run(["sh", "-c", `mkdir -p ${directory} && cat > ${join(directory, name)}`], {
        input: text,
      });
    const pool = (name: string, net: number) =>
      `apiVersion: metallb.io/v1beta1\nkind: IPAddressPool\nmetadata: {name: ${name}, namespace: metallb-system}\nspec: {addresses: [10.${net}.0.0/24]}\n`;
    for (const [i, name] of ["a", "b", "c"].entries()) await write(`${name}.yaml`, pool(name, i));
    await using agent = await startAgent(host, { manifests: directory });
    const names = () =>
      agent
        .ask<{ metadata: { name: string } }[]>("get", "pools")
        .then((all) => [all].flat().map(({ metadata }) => metadata.name));
    expect(await names()).toEqual(["a", "b", "c"]);
    await write("d.yaml", pool("d", 9));
    await expect.poll(names, { timeout: 60_000 }).toEqual(["a", "b", "c", "d"]);
    await host.run(["rm", join(directory, "d.yaml")]);
    await expect.poll(names, { timeout: 60_000 }).toEqual(["a", "b", "c"]);
    await host.run(["rm", "-r", directory]);
    await write("a.yaml", pool("a", 0));
    const held = () =>
      agent.ask<{ held: { what: string }[] }>("status").then((status) => status.held.length);
    await expect.poll(held, { timeout: 60_000 }).toBe(1);
    expect(await names()).toEqual(["a", "b", "c"]);
    expect((await agent.rutter("confirm")).code).toBe(0);
    await expect.poll(names, { timeout: 60_000 }).toEqual(["a"]);
  });
});
