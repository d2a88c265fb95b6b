/**
 * When gobgpd's table counts as whole: the kernel takes what an earlier run left there away as soon as that is said.
 * Method: a gobgpd whose table is empty, on a clock that the test turns.
 */
import { expect, test } from "vitest";
import type { BestPaths } from "../../backends/best-paths.ts";
import type { GobgpClient } from "../../backends/gobgp/io/client.ts";
import type { Destination } from "../../backends/gobgp/api/messages.ts";
import { createLearned } from "../../backends/gobgp/learned.ts";
import type { Tracked } from "../../backends/gobgp/read/sessions.ts";
import { ownPath } from "../../backends/gobgp/render/paths.ts";
import { address } from "../../events/address.ts";
import { prefix } from "../../events/prefix.ts";
import { createTold } from "../rib/told.ts";
import { virtualClock, type VirtualClock } from "../virtual-clock.ts";
import { peer, THREE } from "./world.ts";

/** A gobgpd whose table of IPv4 is what `there` holds at the time. */
const tableOf = (there: ReadonlySet<string>): Pick<GobgpClient, "dialect" | "walk"> => ({
  dialect: () => Promise.resolve(THREE),
  async *walk(_method, request) {
    await Promise.resolve();
    const { family, prefixes } = request as {
      family: { afi: number };
      prefixes: readonly { prefix: string }[];
    };
    const asked = prefixes.length === 0 ? [...there] : prefixes.map((one) => one.prefix);
    for (const one of asked)
      if (family.afi === 1 && there.has(one)) yield { destination: destinationOf(one) };
  },
});
const FAR = "192.0.2.1";
const destinationOf = (text: string): Destination => ({
  prefix: text,
  paths: [
    {
      ...ownPath(prefix(text), undefined),
      pattrs_binary: [Buffer.from([0x40, 1, 1, 0]), Buffer.from([0x40, 3, 4, 192, 0, 2, 1])],
      source_asn: 64999,
      source_id: FAR,
      filtered: false,
      stale: false,
      is_from_external: true,
      neighbor_ip: FAR,
    },
  ],
});
/** As gobgpd's event names a prefix of 16 bits: an Any of IPAddressPrefix. */
const moved = (text: string) => {
  const field = (number: number, value: Uint8Array) =>
    Buffer.concat([Buffer.from([number * 8 + 2, value.length]), value]);
  const inner = Buffer.concat([Buffer.from([8, 16]), field(2, Buffer.from(text))]);
  const name = Buffer.from("type.googleapis.com/apipb.IPAddressPrefix");
  return {
    family: { afi: 1, safi: 1 },
    nlri: Buffer.concat([field(1, name), field(2, inner)]),
  } as never;
};
const settle = async (clock: VirtualClock, seconds: number): Promise<void> => {
  for (let second = 0; second < seconds; second += 1) {
    for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
    clock.advance(1000);
  }
};

test("a gobgpd that answers before anything was planned has not said all, whatever time goes by", async () => {
  const clock = virtualClock();
  let isPlanned = false;
  const learned = createLearned({
    client: tableOf(new Set()) as GobgpClient,
    clock,
    sourceOf: () => undefined,
    neighbors: () => [],
    isPlanned: () => isPlanned,
    onFailure: (error) => expect.fail(error.message),
  });
  const told: BestPaths["type"][] = [];
  learned.listen(({ type }) => told.push(type));
  const turns = async () => {
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
    clock.advance(1000);
  };
  learned.resync();
  for (let second = 0; second < 5; second += 1) await turns();
  expect(told).toEqual([]);
  isPlanned = true;
  await turns();
  expect(told).toEqual(["complete", "complete"]);
  learned.close();
});

test("what a peer says to a gobgpd that is back stays, while what it said to the one before goes", async () => {
  const clock = virtualClock();
  const there = new Set(["20.1.0.0/16", "20.2.0.0/16"]);
  // Without graceful restart, and without End-of-RIB: nothing is settled for ten seconds.
  const neighbor = peer(FAR);
  const tracked = {
    status: { state: "Established", families: ["ipv4"], capabilities: [], sinceMillis: 0 },
    complete: new Set(),
  } as unknown as Tracked;
  const learned = createLearned({
    client: tableOf(there) as GobgpClient,
    clock,
    sourceOf: (from) => (from === address(FAR) ? { key: neighbor.key, device: "" } : undefined),
    neighbors: () => [{ neighbor, tracked }],
    isPlanned: () => true,
    onFailure: (error) => expect.fail(error.message),
  });
  const told = createTold();
  learned.listen(told.take);
  const now = () => [...told.routes.keys()].toSorted();
  learned.resync();
  await settle(clock, 1);
  expect(now()).toEqual(["20.1.0.0/16", "20.2.0.0/16"]);

  learned.away();
  there.delete("20.1.0.0/16");
  learned.resync();
  await settle(clock, 1);
  expect(now()).toEqual(["20.2.0.0/16"]);
  there.add("20.1.0.0/16");
  learned.moved([moved("20.1.0.0")]);
  await settle(clock, 5);
  expect(now()).toEqual(["20.1.0.0/16", "20.2.0.0/16"]);
  learned.close();
});
