/**
 * The harness around the agent keeps its word: it waits for `ready`, hands on arguments and input, kills and restarts.
 *
 * Tried on a stand-in that speaks the outside contract of `rutter` and nothing else, so that a failure here is the
 * harness's own.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startAgent } from "./agent.ts";
import { onLoopback } from "./place.ts";

const STAND_IN = `
const args = process.argv.slice(2);
const after = (name) => args[args.indexOf(name) + 1];
if (args[0] === "agent" && args.includes("--broken")) { console.error("no: port in use"); process.exit(1); }
else if (args[0] === "agent") { console.log("ready " + after("--socket")); setInterval(() => {}, 1000); }
else if (args[0] === "apply") process.stdin.pipe(process.stdout);
else if (args[0] === "refuse") { console.error("refused"); process.exit(1); }
else console.log(JSON.stringify({ args }));
`;

function standIn(directory: string): string {
  const program = join(directory, "main.mjs");
  writeFileSync(program, STAND_IN);
  return program;
}

test("an agent is asked through its own socket, killed, and started again on the same state", async () => {
  await using place = onLoopback();
  const agent = await startAgent(place, { program: standIn(place.directory) });
  const { args } = await agent.ask<{ args: string[] }>("status");
  expect(args).toEqual(["status", "-o", "json", "--socket", agent.socket]);
  expect((await agent.apply("kind: BGPPeer\n")).stdout).toBe("kind: BGPPeer\n");
  await expect(agent.ask("refuse")).rejects.toThrow("refused");

  await using second = await agent.restart();
  expect(agent.running()).toBe(false);
  expect(second.running()).toBe(true);
  expect(second.state).toBe(agent.state);
});

test("an agent that ends instead of serving is not waited for, and its words are shown", async () => {
  await using place = onLoopback();
  const broken = startAgent(place, { program: standIn(place.directory), args: ["--broken"] });
  await expect(broken).rejects.toThrow("port in use");
});
