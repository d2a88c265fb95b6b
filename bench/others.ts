/**
 * One prefix to the wire by others: `node bench/others.ts`, in the same minutes as bench/wire.ts on the same machine.
 *
 * As their users do it: BIRD by its control socket (a configuration with one more static route), FRR by `vtysh -c`, GoBGP by
 * its command line. From the start of the command until the UPDATE is at a peer; each daemon in a namespace of its own. One
 * that is not installed is said to be absent (FRR and BIRD come with the set-up, GoBGP is Debian's gobgpd).
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { startBird } from "../test/live/bird.ts";
import { startFrr } from "../test/live/frr.ts";
import { makeNetwork, type Node } from "../test/live/netns.ts";
import type { RouterPlan } from "../test/live/router.ts";
import { until } from "../test/live/until.ts";
import { lacking, type ProbeName } from "../test/probes.ts";
import { median, print, type Row, SINK_AS } from "./subject.ts";

const ROUNDS = 40;
const ASN = 64512;
const PORT = 1790;

type Change = (count: number) => Promise<unknown>;

const prefix = (index: number): string => `198.18.${index}.0/24`;

const planFor = (node: Node, far: Node, count: number): RouterPlan => ({
  asn: ASN,
  routerId: node.ipv4,
  networks: Array.from({ length: count }, (_, i) => prefix(i)),
  neighbours: [{ name: "sink", address: far.ipv4, port: PORT, asn: SINK_AS, families: ["ipv4"] }],
});

async function bird(node: Node, far: Node): Promise<Change> {
  const router = await startBird(node, planFor(node, far, 1));
  return (count) => router.reconfigure(planFor(node, far, count));
}

async function frr(node: Node, far: Node): Promise<Change> {
  await startFrr(node, planFor(node, far, 1));
  const socket = join(node.directory, "frr");
  return (count) => {
    const lines = [
      "configure terminal",
      `router bgp ${ASN}`,
      "address-family ipv4 unicast",
      `network ${prefix(count - 1)}`,
    ];
    return node.run(["vtysh", "--vty_socket", socket, ...lines.flatMap((line) => ["-c", line])]);
  };
}

async function gobgp(node: Node, far: Node): Promise<Change> {
  const file = join(node.directory, "gobgpd.toml");
  writeFileSync(
    file,
    `[global.config]\nas = ${ASN}\nrouter-id = "${node.ipv4}"\n[[neighbors]]\n[neighbors.config]\nneighbor-address = "${far.ipv4}"\npeer-as = ${SINK_AS}\n[neighbors.transport.config]\nremote-port = ${PORT}\n`,
  );
  await node.start(["gobgpd", "-f", file, "--api-hosts", "127.0.0.1:50051"]);
  const add: Change = (count) => node.run(["gobgp", "global", "rib", "add", prefix(count - 1)]);
  await until(async () => (await node.run(["gobgp", "global"])).code === 0, { what: "gobgpd" });
  await add(1);
  return add;
}

async function measure(
  name: string,
  probe: ProbeName,
  start: (node: Node, far: Node) => Promise<Change>,
): Promise<Row> {
  const absent = lacking(probe) ?? lacking("netns");
  if (absent !== undefined) return [name, "absent"];
  await using network = await makeNetwork(["router", "sink"]);
  const { router, sink: far } = network.nodes;
  const program = join(import.meta.dirname, "sink-process.ts");
  const sink = await far.start([process.execPath, program, `${SINK_AS}`, far.ipv4, `${PORT}`]);
  const arrivalOf = (count: number) => (): bigint | false =>
    BigInt(new RegExp(`^${count} (\\d+)$`, "m").exec(sink.stdout())?.[1] ?? 0) || false;
  const wait = (count: number) =>
    until(arrivalOf(count), { what: `route ${count} of ${name}`, everyMs: 5, timeoutMs: 30_000 });
  await until(() => sink.stdout().includes("ready"), { what: "the far end" });
  const change = await start(router, far);
  await wait(1);
  const spent: number[] = [];
  for (let count = 2; count < ROUNDS + 2; count += 1) {
    const from = process.hrtime.bigint();
    await change(count);
    spent.push(Number((await wait(count)) - from) / 1e6);
  }
  return [
    name,
    ...[median(spent), Math.min(...spent), Math.max(...spent)].map((ms) => ms.toFixed(2)),
  ];
}

print(
  ["by", "p50 ms", "lowest", "highest"],
  [
    await measure("bird socket", "bird", bird),
    await measure("gobgp", "gobgp", gobgp),
    await measure("vtysh -c", "frr", frr),
  ],
);
