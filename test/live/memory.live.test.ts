/**
 * That both processes hand back what their start needed: by the kernel's account of each, its peak beside what it has now.
 */
import { readFileSync } from "node:fs";
import { beforeEach, expect, test } from "vitest";
import { skipUnless } from "../probe.ts";
import { startAgent } from "./agent.ts";
import { startBfd } from "./bfd-process.ts";
import { ALWAYS } from "./manifests.ts";
import { makeNetwork } from "./netns.ts";
import { until } from "./until.ts";

beforeEach(skipUnless("netns"));

/** What is resident now, of the most that ever was (proc(5)). */
function residentShare(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const octets = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1]);
  return octets("VmRSS") / octets("VmHWM");
}

/** What is given back is a third and more; what a process has without that differs by some hundredths. */
const SHARE = 0.85;

test("an agent that rests has given back what its start needed", async () => {
  await using network = await makeNetwork(["host"]);
  await using agent = await startAgent(network.nodes.host, { config: ALWAYS });
  const isGivenBack = () => residentShare(agent.pid) < SHARE;
  await until(isGivenBack, { what: "less memory", timeoutMs: 80_000, everyMs: 500 });
  expect((await agent.rutter("status")).code).toBe(0);
});

test("a BFD process that serves has given back what its start needed", async () => {
  await using network = await makeNetwork(["host"]);
  await using bfd = await startBfd(network.nodes.host);
  expect(residentShare(bfd.daemon.pid)).toBeLessThan(SHARE);
  await using driver = await bfd.connect();
  expect((await driver.status()).sessions).toEqual([]);
});
