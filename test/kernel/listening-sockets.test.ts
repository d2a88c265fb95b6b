/**
 * The sockets that listen on this machine, asked of the kernel: real ones on the loopback, beside what /proc says.
 * Method: open and close sockets, ask by sock_diag, compare with /proc/net; answers that no kernel gives are octets of the test.
 */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { expect, test } from "vitest";
import { askedFirst, readListeners } from "../../agent/health/proc-net.ts";
import { openSocketReader } from "../../backends/kernel/io/listening-sockets.ts";
import { listenerIn, listenersRequest } from "../../backends/kernel/netlink/sock-diag.ts";
import { address } from "../../events/address.ts";

const BOTH = ["TCP", "UDP"] as const;

async function listening(host: string): Promise<readonly [Server, number]> {
  const server = createServer();
  server.listen(0, host);
  await once(server, "listening");
  const at = server.address();
  return [server, typeof at === "object" ? (at?.port ?? 0) : 0];
}

test("a TCP and a UDP listener are there with their addresses, and gone when they close", async () => {
  const reader = openSocketReader();
  const [server, port] = await listening("127.0.0.1");
  const udp = createSocket("udp4");
  await new Promise<void>((done) => udp.bind(0, "127.0.0.1", done));
  const udpPort = udp.address().port;
  const open = reader.read(BOTH);
  expect(open?.get(`TCP/${port}`)).toEqual(new Set(["127.0.0.1"]));
  expect(open?.get(`UDP/${udpPort}`)).toEqual(new Set(["127.0.0.1"]));
  expect(open?.get(`UDP/${port}`)).toBe(undefined);
  server.close();
  udp.close();
  await once(server, "close");
  const closed = reader.read(BOTH);
  expect([closed?.has(`TCP/${port}`), closed?.has(`UDP/${udpPort}`)]).toEqual([false, false]);
  reader.close();
});

test("it says of our sockets what /proc/net says", async () => {
  const reader = openSocketReader();
  const all = await Promise.all(["0.0.0.0", "127.0.0.1", "::1", "::"].map(listening));
  const [asked, read] = [reader.read(BOTH), readListeners()(["tcp", "tcp6", "udp", "udp6"])];
  const of = (found: ReadonlyMap<string, ReadonlySet<string>> | undefined) =>
    all.map(([, port]) => [...(found?.get(`TCP/${port}`) ?? [])]);
  expect(of(asked)).toEqual([["0.0.0.0"], ["127.0.0.1"], ["::1"], ["::"]]);
  expect(of(asked)).toEqual(of(read));
  for (const [server] of all) server.close();
  reader.close();
});

test("connections are no listeners", async () => {
  const reader = openSocketReader();
  const [server, port] = await listening("127.0.0.1");
  const accepted = once(server, "connection");
  const { createConnection } = await import("node:net");
  const client = createConnection(port, "127.0.0.1");
  await accepted;
  expect(reader.read(["TCP"])?.has(`TCP/${client.localPort ?? 0}`)).toBe(false);
  client.destroy();
  server.close();
  reader.close();
});

test("a thousand listeners come in many datagrams, and all of them", async () => {
  const reader = openSocketReader();
  const all = await Promise.all(Array.from({ length: 1000 }, () => listening("127.0.0.1")));
  const found = reader.read(["TCP"]);
  expect(all.filter(([, port]) => found?.has(`TCP/${port}`) !== true)).toEqual([]);
  for (const [server] of all) server.close();
  reader.close();
});

test("where the kernel does not say, its tables are read", () => {
  const tables: string[][] = [];
  const asked: string[][] = [];
  const read = askedFirst(
    (protocols) => {
      asked.push([...protocols]);
      return undefined;
    },
    (wanted) => {
      tables.push([...wanted]);
      return new Map([["TCP/80", new Set([address("::")])]]);
    },
  );
  expect(read(["tcp", "tcp6"])).toEqual(new Map([["TCP/80", new Set(["::"])]]));
  expect([asked, tables]).toEqual([[["TCP"]], [["tcp", "tcp6"]]]);
  expect(
    askedFirst(
      () => new Map(),
      () => new Map([["TCP/1", new Set()]]),
    )(["udp"]).size,
  ).toBe(0);
});

test("the request asks for one state of one protocol and family", () => {
  const request = listenersRequest("TCP", "ipv6");
  expect([request.length, ...request.subarray(16, 24)]).toEqual([72, 10, 6, 0, 0, 0, 4, 0, 0]);
  expect([...listenersRequest("UDP", "ipv4").subarray(16, 24)]).toEqual([
    2, 17, 0, 0, 128, 0, 0, 0,
  ]);
});

test("an IPv4 address in an IPv6 socket is one of IPv4; what is cut off or no listener is passed over", () => {
  const body = new Uint8Array(72);
  body.set([10, 10, 0, 0, 0x1f, 0x90]);
  body.set([0xff, 0xff, 192, 0, 2, 1], 18);
  expect(listenerIn({ body }, "TCP")).toEqual({ port: 8080, address: "192.0.2.1" });
  expect(listenerIn({ body }, "UDP")).toBe(undefined);
  expect(listenerIn({ body: body.subarray(0, 20) }, "TCP")).toBe(undefined);
  expect(listenerIn({ body: new Uint8Array(0) }, "TCP")).toBe(undefined);
});
