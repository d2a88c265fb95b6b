/**
 * Run in a guest: learned routes of two VRFs and of none, each into the table that its device says, and a VRF that goes.
 *
 * What `ip` shows is printed as JSON, step by step. Nothing is asserted here.
 * Read next: ../kernel-vrf.live.test.ts, ../../live/kernel.live.test.ts (without a VRF).
 */
import { importRule, startKernel } from "../../live/kernel-process.ts";
import { makeNetwork } from "../../live/netns.ts";
import { pause, until } from "../../live/until.ts";

const PATIENT = { timeoutMs: 60_000 };
await using network = await makeNetwork(["host", "far"]);
const { host } = network.nodes;

async function addVrf(name: string, table: number): Promise<void> {
  await host.ip("link", "add", name, "type", "vrf", "table", String(table));
  await host.ip("link", "set", name, "up");
  await host.ip("link", "add", `${name}0`, "type", "dummy");
  await host.ip("link", "set", `${name}0`, "master", name, "up");
  await host.ip("address", "add", "10.50.0.1/24", "dev", `${name}0`);
}
const table = async (number: number): Promise<string[]> =>
  (await host.ip("route", "show", "table", String(number), "proto", "82"))
    .split("\n")
    .map((line) => line.trim().replace(/nhid \d+ /, ""))
    .filter((line) => line !== "");

await addVrf("blue", 10);
await using kernel = await startKernel(host);
await kernel.apply({
  imports: [
    importRule(),
    importRule({ name: "blue", vrf: "blue" }),
    importRule({ name: "red", vrf: "red" }),
  ],
});
await kernel.learn(["172.16.0.0/24"], ["10.99.0.2"]);
await kernel.learn(["172.16.0.0/24", "172.16.1.0/24"], ["10.50.0.2"], "blue");
await kernel.learn(["172.16.2.0/24"], ["10.50.0.3"], "red");
const before = {
  main: await table(254),
  blue: await table(10),
  held: (await kernel.status()).rules.flatMap(({ rule, held }) =>
    held.map(({ reason }) => `${rule}: ${reason}`),
  ),
  capabilities: (await kernel.capabilities()).has,
};
await addVrf("red", 11);
await until(async () => (await table(11)).length === 1, {
  what: "the routes of red",
  explain: async () => JSON.stringify(await kernel.status()),
  ...PATIENT,
});
const red = await table(11);
await host.ip("link", "del", "blue");
await pause(2000);
await until(
  async () =>
    (await kernel.status()).rules.some(({ rule, held }) => rule === "blue" && held[0]?.count === 2),
  {
    what: "blue's routes held back",
    explain: async () => JSON.stringify(await kernel.status()),
    ...PATIENT,
  },
);
const gone = await table(10);
await addVrf("blue2", 12);
await host.ip("link", "del", "blue0");
await host.ip("link", "add", "blue", "type", "vrf", "table", "13");
await host.ip("link", "set", "blue", "up");
await host.ip("link", "set", "blue20", "master", "blue");
await host.ip("address", "replace", "10.50.0.1/24", "dev", "blue20");
await until(async () => (await table(13)).length === 2, {
  what: "blue's routes in its new table",
  explain: async () =>
    `${await host.ip("route", "show", "table", "13")}\n${JSON.stringify(await kernel.status())}`,
  ...PATIENT,
});
console.log(
  JSON.stringify({
    ...before,
    red,
    gone,
    again: await table(13),
    facts: (await kernel.facts()).filter(({ type }) => type === "host").length,
  }),
);
