/**
 * The connection to NATS: publishing only in order, reading in order from any place, coming back by itself.
 *
 * Method: real nats-servers in namespaces, and a client of ours in another one.
 */
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { skipUnless } from "../probe.ts";
import { type Certificate, newAuthority, newCertificate } from "./certificates.ts";
import { startFleetClient } from "./fleet-client.ts";
import { startCluster, startNats } from "./nats.ts";
import { makeNetwork } from "./netns.ts";
import { until } from "./until.ts";

beforeEach(skipUnless("netns", "nats"));

const base64 = (text: string): string => Buffer.from(text).toString("base64");
const text = (body: string): string => Buffer.from(body, "base64").toString();
const SPEC = { name: "feed", subjects: ["f.change", "f.base"], replicas: 1 };
const message = (body: string, expected?: number) => ({
  stream: "feed",
  subject: "f.change",
  body: base64(body),
  ...(expected === undefined ? {} : { expected }),
});

describe("one server", () => {
  test("takes a message only behind the expected sequence, and hands all over in order from any place", async () => {
    await using network = await makeNetwork(["server", "host"]);
    await using server = await startNats(network.nodes.server);
    await using client = await startFleetClient(network.nodes.host, { servers: [server.url] });
    await client.connected();
    await expect(client.publish(message("too early"))).rejects.toThrow("FLEET_NO_ANSWER");
    await expect(client.info("feed")).rejects.toThrow("FLEET_NO_STREAM");
    await client.stream(SPEC);
    await client.stream(SPEC);

    expect(await client.publish(message("one", 0))).toBe(1);
    expect(await client.publish({ ...message("two", 1), headers: { "Rutter-Part": "1/1" } })).toBe(
      2,
    );
    await expect(client.publish(message("late", 1))).rejects.toThrow("FLEET_SEQUENCE_MOVED");
    expect(await client.last("feed", "f.base")).toBeNull();
    expect(await client.publish({ ...message("three", 2), subject: "f.base" })).toBe(3);

    await client.read("all", { stream: "feed", consumer: "one", from: 1 });
    await client.read("later", { stream: "feed", consumer: "two", from: 2, filter: "f.change" });
    const all = await until(
      async () => {
        const { messages } = await client.messages("all");
        return messages.length === 3 && messages;
      },
      { what: "three messages" },
    );
    expect(all.map(({ body, sequence }) => [text(body), sequence])).toEqual([
      ["one", 1],
      ["two", 2],
      ["three", 3],
    ]);
    expect(all[1]?.headers["Rutter-Part"]).toBe("1/1");
    expect(await client.publish(message("four", 3))).toBe(4);
    const later = await until(
      async () => {
        const { messages } = await client.messages("later");
        return messages.length === 2 && messages;
      },
      { what: "two messages" },
    );
    expect(later.map(({ body }) => text(body))).toEqual(["two", "four"]);

    expect(text((await client.last("feed", "f.change"))?.body ?? "")).toBe("four");
    expect(text((await client.at("feed", 3))?.body ?? "")).toBe("three");
    expect(await client.at("feed", 9)).toBeNull();
    const info = await client.info("feed");
    expect(info).toMatchObject({ firstSequence: 1, lastSequence: 4, messages: 4 });
    expect(Date.parse(info.created)).not.toBeNaN();
  });

  test("a reading of the same name ends the older one; a deleted stream ends it, too", async () => {
    await using network = await makeNetwork(["server", "host"]);
    await using server = await startNats(network.nodes.server);
    await using client = await startFleetClient(network.nodes.host, { servers: [server.url] });
    await client.connected();
    await client.stream(SPEC);
    const ended = (name: string) =>
      until(async () => (await client.messages(name)).ended, { what: `the end of ${name}` });
    const began = (name: string) =>
      until(async () => (await client.messages(name)).messages.length === 1, {
        what: `the message of ${name}`,
      });
    await client.publish(message("one", 0));
    await client.read("older", { stream: "feed", consumer: "host", from: 1 });
    // Two that begin in the same moment would share the consumer until a message is missed by one of them.
    await began("older");
    await client.read("newer", { stream: "feed", consumer: "host", from: 1 });
    expect(await ended("older")).toBe("FLEET_READING_ENDED");
    await began("newer");
    await client.raw("request", "$JS.API.STREAM.DELETE.feed");
    expect(await ended("newer")).toBe("FLEET_READING_ENDED");
  });

  test("keys of a bucket are put, and read newest first; a server that is away is told at once", async () => {
    await using network = await makeNetwork(["server", "host"]);
    await using server = await startNats(network.nodes.server);
    await using client = await startFleetClient(network.nodes.host, { servers: [server.url] });
    await client.connected();
    await client.bucket("status");
    await client.put("status", "a.one", "1");
    await client.put("status", "b.one", "other");
    await client.put("status", "a.one", "2");
    const newest = { stream: "KV_status", from: "newest-of-each-subject" } as const;
    await client.read("w", { ...newest, consumer: "w", filter: "$KV.status.a.*" });
    const entries = await until(
      async () => {
        const { messages } = await client.messages("w");
        return messages.length > 0 && messages;
      },
      { what: "the key" },
    );
    expect(entries.map(({ subject, body }) => [subject, text(body)])).toEqual([
      ["$KV.status.a.one", "2"],
    ]);
    await server.kill();
    await until(async () => !(await client.state()).connected, {
      what: "the end of the connection",
    });
    await expect(client.put("status", "a.one", "3")).rejects.toThrow("FLEET_NOT_CONNECTED");
    expect((await client.state()).reason).not.toBe("");
    expect((await client.messages("w")).ended).toMatch(/FLEET_(?:NOT_CONNECTED|READING_ENDED)/);
    await server.restart();
    await client.connected();
    await client.put("status", "a.one", "3");
    expect(text((await client.last("KV_status", "$KV.status.a.one"))?.body ?? "")).toBe("3");
  });
});

describe("who connects", () => {
  test("the seed's file is read again at each attempt", async () => {
    await using network = await makeNetwork(["server", "host"]);
    const { server: node, host } = network.nodes;
    const { fromSeed, newKey } = await import("./fleet-keys.ts");
    const [first, second] = [newKey(host, "first.nk"), newKey(host, "second.nk")];
    const users = (key: string): string => `authorization { users = [ { nkey: ${key} } ] }`;
    await using server = await startNats(node, { config: users(first.publicKey) });
    await using client = await startFleetClient(host, {
      servers: [server.url],
      seed: first.file,
    });
    await client.connected();
    await server.reload(users(second.publicKey));
    await until(async () => !(await client.state()).connected, { what: "the refusal" });
    await until(async () => /authorization/i.test((await client.state()).reason), {
      what: "a reason that names it",
    });
    fromSeed(first.file, second.seed);
    await client.connected();
    expect((await client.state()).connected).toBe(true);
  });
});

describe("over TLS", () => {
  test("a server is believed by its certificate, read anew at each attempt; a name that does not fit is said", async (context) => {
    skipUnless("openssl")(context);
    await using network = await makeNetwork(["server", "host"]);
    const { server: node, host } = network.nodes;
    const authority = await newAuthority(node, "authority");
    const stranger = await newAuthority(node, "stranger");
    const fitting = await newCertificate(node, "fitting", authority, `IP:${node.ipv4}`);
    const misnamed = await newCertificate(node, "misnamed", authority, "IP:192.0.2.9");
    const tls = ({ certificate, key }: Certificate): string =>
      `tls { cert_file: "${certificate}", key_file: "${key}" }`;
    await using server = await startNats(node, { config: tls(misnamed) });
    const ca = join(host.directory, "ca.pem");
    copyFileSync(authority.certificate, ca);
    const access = { servers: [server.url.replace("nats:", "tls:")], tls: { ca } };
    await using client = await startFleetClient(host, access);
    const refusal = (pattern: RegExp) =>
      until(async () => pattern.test((await client.state()).reason), {
        what: `a reason like ${pattern}`,
        explain: async () => JSON.stringify(await client.state()),
      });
    await refusal(/does not match certificate/);
    expect((await client.state()).connected).toBe(false);

    await server.reload(tls(fitting));
    await client.connected();

    // Whoever vouches may change while the agent runs.
    copyFileSync(stranger.certificate, ca);
    await server.kill();
    await server.restart();
    await refusal(/certificate/);
    expect((await client.state()).connected).toBe(false);
    copyFileSync(authority.certificate, ca);
    await client.connected();
  });
});

describe("a cluster of three", () => {
  test("goes on without one, says so without two, and takes what comes when they are back", async () => {
    await using network = await makeNetwork(["n1", "n2", "n3", "host"]);
    const { n1, n2, n3, host } = network.nodes;
    const servers = await startCluster([n1, n2, n3]);
    await using client = await startFleetClient(host, { servers: servers.map(({ url }) => url) });
    await client.connected();
    await until(async () => (await client.stream({ ...SPEC, replicas: 3 }), true), {
      what: "a stream of three",
      timeoutMs: 60_000,
    });
    expect(await client.publish(message("one", 0))).toBe(1);
    await servers[0]?.kill();
    const second = await until(() => client.publish(message("two", 1)), {
      what: "a message without the first server",
      timeoutMs: 60_000,
    });
    expect(second).toBe(2);
    await servers[1]?.kill();
    await until(
      () =>
        client.publish(message("three", 2)).then(
          () => false,
          (error: unknown) => /FLEET_N/.test(String(error)),
        ),
      { what: "a refusal without two", timeoutMs: 60_000 },
    );
    await Promise.all([servers[0]?.restart(), servers[1]?.restart()]);
    await until(
      async () => {
        const { lastSequence } = await client.info("feed");
        return (await client.publish(message("more", lastSequence))) > 2;
      },
      { what: "a message with all three", timeoutMs: 60_000 },
    );
    await client.read("all", { stream: "feed", consumer: "host", from: 1 });
    await until(async () => (await client.messages("all")).messages.length >= 3, {
      what: "everything",
      timeoutMs: 60_000,
    });
    const all = (await client.messages("all")).messages.map(({ body }) => text(body));
    expect(all.slice(0, 2)).toEqual(["one", "two"]);
  });
});
