/**
 * The main job, shown: a manifest that a MetalLB user has becomes a route in a real FRR's and a real BIRD's own table,
 * survives kill -9 with BFD and the kernel's routes as they were, and is explained step by step from the log.
 *
 * Makes three network namespaces, takes them away again, and ends by itself with exit code 0, or 1 and the reason. Uses the
 * harness of the live tests (test/live/); nothing on the host's own interfaces is touched.
 */
import { type Agent, startAgent } from "../live/agent.ts";
import { startBird } from "../live/bird.ts";
import { startFrr } from "../live/frr.ts";
import {
  advertisementManifest,
  ALWAYS,
  documents,
  peerManifest,
  poolManifest,
  serviceManifest,
} from "../live/manifests.ts";
import { makeNetwork } from "../live/netns.ts";
import type { Router } from "../live/router.ts";
import { until } from "../live/until.ts";
import { lacking, type ProbeName } from "../probes.ts";

const HOST_AS = 64512;
const VIP = "203.0.113.10/32";
/** What BIRD tells us, and the host shall know. */
const LEARNED = "198.51.100.0/24";
const started = performance.now();
const colour = process.stdout.isTTY
  ? (text: string) => `\x1b[1m${text}\x1b[0m`
  : (text: string) => text;

const heading = (text: string): void => {
  const seconds = ((performance.now() - started) / 1000).toFixed(1).padStart(5);
  console.log(`\n${colour(`${seconds}s  ${text}`)}`);
};
const indented = (text: string): void => {
  console.log(text.trimEnd().replaceAll(/^/gm, "       "));
};

const manifest = (frr: string, bird: string): string =>
  documents(
    poolManifest(["203.0.113.10-203.0.113.20"], "first-pool"),
    peerManifest({
      name: "frr",
      localAs: HOST_AS,
      remoteAs: 64601,
      address: frr,
      password: "demo-key",
      gracefulRestart: true,
    }),
    peerManifest({
      name: "bird",
      localAs: HOST_AS,
      remoteAs: 64602,
      address: bird,
      gracefulRestart: true,
      extra: ["bfdProfile: fast"],
    }),
    "apiVersion: metallb.io/v1beta1\nkind: BFDProfile\nmetadata: {name: fast, namespace: metallb-system}\nspec: {transmitInterval: 100, receiveInterval: 100, detectMultiplier: 5}",
    "apiVersion: rutter/v1\nkind: RouteImport\nmetadata: {name: fabric, namespace: metallb-system}\nspec: {peers: [bird]}",
    advertisementManifest({
      ipAddressPools: ["first-pool"],
      communities: ["64512:100", "large:64512:1:1"],
    }),
    serviceManifest("my-nginx-svc"),
  );

async function show(router: Router): Promise<void> {
  const explain = () => router.explain();
  const route = await until(() => router.route(VIP), { what: `${VIP} at ${router.kind}`, explain });
  const { nextHop, asPath, communities, largeCommunities, stale } = route;
  indented(
    `${router.kind.padEnd(5)} ${VIP}  next hop ${nextHop}  AS path ${asPath.join(" ")}  communities ${communities.join(" ")} large ${largeCommunities.join(" ")}${stale ? "  (stale: kept over the restart)" : ""}`,
  );
}

async function established(agent: Agent): Promise<void> {
  const asked = performance.now();
  const peers = () => agent.ask<{ name: string; state: string }[]>("peers");
  await until(async () => (await peers()).every(({ state }) => state === "Established"), {
    what: "both sessions",
    explain: () => agent.explain(),
    everyMs: 50,
  });
  const took = ((performance.now() - asked) / 1000).toFixed(2);
  indented(`both sessions are Established ${took} s later`);
  indented((await agent.rutter("peers")).stdout);
}

async function demo(): Promise<void> {
  heading("Three hosts in network namespaces: this agent's, a real FRR, a real BIRD");
  await using network = await makeNetwork(["host", "frr", "bird"]);
  const { host, frr: frrNode, bird: birdNode } = network.nodes;
  const towards = { name: "host", address: host.ipv4, asn: HOST_AS, gracefulRestart: true };
  await using frr = await startFrr(frrNode, {
    asn: 64601,
    routerId: frrNode.ipv4,
    neighbours: [{ ...towards, password: "demo-key" }],
  });
  await using bird = await startBird(birdNode, {
    asn: 64602,
    routerId: birdNode.ipv4,
    networks: [LEARNED],
    neighbours: [towards],
    raw: [
      `protocol bfd watch_host { interface "*" { interval 100 ms; multiplier 5; }; neighbor ${host.ipv4}; }`,
    ],
  });
  const routers = [frr, bird];
  const first = await startAgent(host, { config: ALWAYS });
  indented(`rutter agent is ready after ${Math.round(first.readyAfterMs)} ms, with an empty log`);

  heading("rutter apply -f manifest.yaml   (MetalLB's own kinds, one Service)");
  const text = manifest(frrNode.ipv4, birdNode.ipv4);
  indented(text);
  const applied = await first.apply(text);
  if (applied.code !== 0) throw new Error(applied.stderr);
  indented(applied.stdout);
  await established(first);

  heading("The virtual IP in the routers' own tables");
  for (const router of routers) await show(router);

  heading(
    "On the host: the virtual IP bound, BIRD's route in the kernel, BFD in a process of its own",
  );
  const onHost = async (): Promise<void> => {
    indented((await host.ip("-4", "-brief", "address", "show", "dev", "lo")).trim());
    indented((await host.ip("route", "show", LEARNED)).trim());
    const sessions = await bird.ask("show bfd sessions");
    indented(
      sessions
        .split("\n")
        .filter((line) => line.includes(host.ipv4))
        .join("\n"),
    );
  };
  await until(async () => (await host.ip("route", "show", LEARNED)) !== "", {
    what: `${LEARNED} in the kernel`,
    explain: () => first.explain(),
  });
  const isUp = async () => (await first.ask<{ state: string }[]>("bfd"))[0]?.state === "Up";
  await until(isUp, { what: "BFD", explain: () => first.explain() });
  await onHost();
  indented((await first.rutter("bfd")).stdout);

  heading("kill -9, and what the routers and the host have while no agent runs");
  await first.kill();
  for (const router of routers) await show(router);
  await onHost();

  heading("Start again: the log is replayed, the sessions come back");
  await using second = await first.restart();
  indented(`ready after ${Math.round(second.readyAfterMs)} ms`);
  await established(second);
  for (const router of routers) {
    const explain = () => router.explain();
    await until(async () => (await router.routes()).every(({ stale }) => !stale), {
      what: "fresh routes",
      explain,
    });
    await show(router);
  }

  heading(`rutter why ${VIP}`);
  indented((await second.rutter("why", VIP)).stdout);
  heading("rutter log");
  indented((await second.rutter("log")).stdout);
  heading("rutter log verify");
  indented((await second.rutter("log", "verify")).stdout);
  await second.stop();
  heading("Done: the namespaces are taken away again");
}

const needed: readonly ProbeName[] = ["netns", "bird", "frr", "tcp-md5"];
const missing = needed.flatMap((probe) => {
  const reason = lacking(probe);
  return reason === undefined ? [] : [`${probe}: ${reason}`];
});
if (missing.length > 0) {
  console.error(`the demo can't run here:\n  ${missing.join("\n  ")}`);
  process.exitCode = 1;
} else {
  await demo();
}
