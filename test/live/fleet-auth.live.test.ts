/**
 * What nats-server lets a member do that `rutter fleet auth` wrote the permissions of.
 *
 * Method: a server with that block, and each member with its own key; what the server says is what counts.
 */
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { inboxOf } from "../../agent/fleet/permissions.ts";
import { fleetNames, hostNames } from "../../agent/fleet/subjects.ts";
import { skipUnless } from "../probe.ts";
import { startFleetClient } from "./fleet-client.ts";
import { newKey } from "./fleet-keys.ts";
import { startNats } from "./nats.ts";
import { makeNetwork } from "./netns.ts";
import { until } from "./until.ts";

beforeEach(skipUnless("netns", "nats"));

const PROGRAM = join(import.meta.dirname, "../../agent/main.ts");
const NAMES = fleetNames("berlin");
const base64 = (text: string): string => Buffer.from(text).toString("base64");

test("a host reads the feed and writes what is its own, and nothing else", async () => {
  await using network = await makeNetwork(["server", "edge1", "ops"]);
  const { server: node, edge1, ops } = network.nodes;
  const [host, other, publisher] = [
    newKey(edge1, "edge.nk"),
    newKey(edge1, "other.nk"),
    newKey(ops, "ops.nk"),
  ];
  const members = `host edge.1 ${host.publicKey}\nhost edge.2 ${other.publicKey} # spare\npublisher ops ${publisher.publicKey}\n`;
  const made = await node.run(
    [process.execPath, PROGRAM, "fleet", "auth", "--fleet", "berlin", "-f", "-"],
    { input: members },
  );
  expect(made).toMatchObject({ code: 0, stderr: "" });
  await using server = await startNats(node, { config: made.stdout });

  await using publishing = await startFleetClient(ops, {
    servers: [server.url],
    seed: publisher.file,
    inbox: inboxOf("publisher", "ops"),
  });
  await publishing.connected();
  for (const [name, subjects] of [
    [NAMES.feedStream, [NAMES.changes, NAMES.bases]],
    [NAMES.auditStream, NAMES.auditSubjects],
  ] as const) {
    await publishing.stream({ name, subjects, replicas: 1 });
  }
  await publishing.bucket(NAMES.statusBucket);
  await publishing.bucket(NAMES.readersBucket);
  for (const subject of [NAMES.changes, NAMES.bases]) {
    await publishing.publish({ stream: NAMES.feedStream, subject, body: base64("a set") });
  }

  await using client = await startFleetClient(edge1, {
    servers: [server.url],
    seed: host.file,
    inbox: inboxOf("host", "edge.1"),
  });
  await client.connected();
  const own = hostNames("berlin", "edge.1");
  const others = hostNames("berlin", "edge.2");

  // Its own.
  expect(await client.info(NAMES.feedStream)).toMatchObject({ messages: 2 });
  expect((await client.last(NAMES.feedStream, NAMES.bases))?.sequence).toBe(2);
  expect((await client.at(NAMES.feedStream, 1))?.sequence).toBe(1);
  await client.read("feed", { stream: NAMES.feedStream, consumer: own.consumer, from: 1 });
  await until(async () => (await client.messages("feed")).messages.length === 2, {
    what: "the feed",
  });
  for (const subject of [own.audit("desired"), own.checkpoint, own.dead]) {
    await client.publish({ stream: NAMES.auditStream, subject, body: base64("mine") });
  }
  expect((await client.last(NAMES.auditStream, own.checkpoint))?.subject).toBe(own.checkpoint);
  await client.put(NAMES.statusBucket, own.statusKey, "{}");
  await client.read("readers", {
    stream: `KV_${NAMES.readersBucket}`,
    consumer: own.consumer,
    filter: `$KV.${NAMES.readersBucket}.*.${own.statusKey}`,
    from: "newest-of-each-subject",
  });
  expect((await client.messages("readers")).ended).toBeUndefined();

  // Not its own.
  for (const subject of [
    NAMES.changes,
    NAMES.bases,
    others.audit("desired"),
    others.checkpoint,
    others.dead,
    `$KV.${NAMES.statusBucket}.${others.statusKey}`,
    `$KV.${NAMES.readersBucket}.ops.${own.statusKey}`,
  ]) {
    expect(await client.raw("publish", subject, "x"), subject).toMatch(/Permissions Violation/i);
  }
  for (const subject of [
    `$JS.API.STREAM.DELETE.${NAMES.feedStream}`,
    `$JS.API.STREAM.PURGE.${NAMES.feedStream}`,
    `$JS.API.STREAM.UPDATE.${NAMES.feedStream}`,
    `$JS.API.STREAM.MSG.DELETE.${NAMES.feedStream}`,
    `$JS.API.STREAM.LIST`,
    `$JS.API.CONSUMER.CREATE.${NAMES.feedStream}`,
    `$JS.API.CONSUMER.CREATE.${NAMES.feedStream}.${others.consumer}`,
    `$JS.API.CONSUMER.DELETE.${NAMES.feedStream}.${others.consumer}`,
    `$JS.API.CONSUMER.DURABLE.CREATE.${NAMES.feedStream}.${own.consumer}`,
    `$JS.API.DIRECT.GET.${NAMES.auditStream}.${others.checkpoint}`,
    `$JS.API.DIRECT.GET.${NAMES.auditStream}`,
  ]) {
    expect(await client.raw("request", subject, "{}"), subject).toMatch(/Permissions Violation/i);
  }
  for (const subject of [">", "rutter.>", NAMES.feed, "$JS.API.>", "_INBOX.>", "$KV.>"]) {
    expect(await client.raw("subscribe", subject), subject).toMatch(/Permissions Violation/i);
  }
  // The seam names it, too.
  await expect(
    client.publish({ stream: NAMES.feedStream, subject: NAMES.changes, body: base64("x") }),
  ).rejects.toThrow("FLEET_FORBIDDEN");
  expect(await client.info(NAMES.feedStream)).toMatchObject({ messages: 2 });
});
