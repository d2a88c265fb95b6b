/**
 * `/metrics` of a whole agent, with BIRD as the far end: the numbers are those of the wire, and both doors tell them.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { type Metric, parseExposition } from "../api/exposition.ts";
import { ask } from "../api/serve.ts";
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

const [HOST_AS, ROUTER_AS] = [64512, 64999];
const TOKEN = "0123456789abcdef";
/** For a node: status and body of a URL, asked with a token. */
const FETCH = `
  const [url, token] = process.argv.slice(1);
  const answer = await fetch(url, { headers: { authorization: "Bearer " + token } });
  process.stdout.write(answer.status + " " + (await answer.text()));`;

test("what is scraped is what the wire has, on the socket and on loopback", async () => {
  await using network = await makeNetwork(["host", "router"]);
  const { host, router } = network.nodes;
  const tokenFile = join(host.directory, "token");
  writeFileSync(tokenFile, TOKEN);
  const api = `api: {listen: "127.0.0.1:9179", tokenFile: ${tokenFile}}\n`;
  await using agent = await startAgent(host, { config: ALWAYS + api });
  const scrape = async (): Promise<ReadonlyMap<string, Metric>> =>
    parseExposition((await ask(agent.socket, "GET", "/metrics")).text);
  const one = (found: ReadonlyMap<string, Metric>, name: string) =>
    found.get(name)?.samples.map(({ value }) => value);

  await using bird = await startBird(router, {
    asn: ROUTER_AS,
    routerId: router.ipv4,
    networks: ["198.51.100.0/24", "2001:db8:1::/48", "2001:db8:2::/48"],
    neighbours: [{ name: "host", address: host.ipv4, asn: HOST_AS }],
  });
  const applied = await agent.apply(
    documents(
      poolManifest(["203.0.113.0/24"]),
      peerManifest({
        localAs: HOST_AS,
        remoteAs: ROUTER_AS,
        address: router.ipv4,
        dualStack: true,
      }),
      advertisementManifest(),
      ...[1, 2, 3].map((i) => serviceManifest(`s${i}`)),
    ),
  );
  expect(applied).toMatchObject({ code: 0 });
  const explain = async () => `${await agent.explain()}\n${await bird.explain()}`;
  const told = await until(
    async () => {
      const found = await scrape();
      const advertised = one(found, "rutter_peer_routes_advertised");
      const received = one(found, "rutter_peer_routes_received");
      const pending = one(found, "rutter_apply_pending");
      return advertised?.[0] === 3 && received?.[1] === 2 && pending?.[0] === 0 && found;
    },
    { what: "the routes in the metrics", explain },
  );
  expect(one(told, "rutter_peer_routes_advertised")).toEqual([3, 0]);
  expect(one(told, "rutter_peer_routes_received")).toEqual([1, 2]);
  expect(one(told, "rutter_peer_up")).toEqual([1]);
  expect(one(told, "rutter_peer_resets_total")).toEqual([0]);
  expect(one(told, "rutter_services_announced")).toEqual([3]);
  expect([one(told, "rutter_ready"), one(told, "rutter_apply_pending")]).toEqual([[1], [0]]);
  const count = told.get("rutter_apply_duration_seconds")?.samples.at(-1);
  expect(count).toMatchObject({ name: "rutter_apply_duration_seconds_count" });
  expect(count?.value).toBeGreaterThan(0);
  // Something may come into the log between the two answers.
  const isHead = async (): Promise<boolean> => {
    const { logSeq } = await agent.ask<{ logSeq: number }>("status");
    return one(await scrape(), "rutter_log_head_seq")?.join() === String(logSeq);
  };
  await until(isHead, { what: "the log's head in the metrics", explain });
  expect(one(told, "rutter_log_size_bytes")?.[0]).toBeGreaterThan(10_000);

  const onLoopback = async (path: string, token: string) =>
    (await host.run([process.execPath, "-e", FETCH, `http://127.0.0.1:9179${path}`, token])).stdout;
  expect(await onLoopback("/readyz", "")).toBe('200 {"ok":true,"reason":""}');
  expect(await onLoopback("/metrics", "another")).toMatch(/^401 /);
  const withToken = await onLoopback("/metrics", TOKEN);
  expect(one(parseExposition(withToken.replace(/^200 /, "")), "rutter_peer_up")).toEqual([1]);

  await bird.stop("SIGKILL");
  const lost = await until(
    async () => {
      const found = await scrape();
      return one(found, "rutter_peer_up")?.[0] === 0 && found;
    },
    { what: "the lost session in the metrics", timeoutMs: 60_000, explain },
  );
  expect(one(lost, "rutter_peer_resets_total")).toEqual([1]);
  expect(one(lost, "rutter_peer_routes_advertised")).toEqual([0, 0]);
});
