/**
 * The disk under the log fails, and routing goes on: full, read-only, held by another.
 *
 * Nothing is told to a router that is not in the log, nothing that was told is taken back, and what the agent says names the
 * way out. The state directory is a small file system of the test's own.
 */
import { chmodSync, chownSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { skipUnless } from "../probe.ts";
import { type Agent, refusedAgent, startAgent } from "./agent.ts";
import { startBird } from "./bird.ts";
import { type SmallDisk, smallDisk } from "./disk.ts";
import {
  advertisementManifest,
  ALWAYS,
  documents,
  peerManifest,
  poolManifest,
  serviceManifest,
} from "./manifests.ts";
import { makeNetwork, type Node } from "./netns.ts";
import type { Router } from "./router.ts";
import { until } from "./until.ts";

beforeEach(skipUnless("netns", "bird", "mount"));

const HOST_AS = 64512;
const STATE_KIBIBYTES = 4096;
/** Generous: the suite runs on machines that do much else. */
const PATIENCE_MS = 60_000;

const routerAt = (node: Node, host: Node, asn: number): Promise<Router> =>
  startBird(node, {
    asn,
    routerId: node.ipv4,
    // Passive: where both dial at once, the later of two connections may replace the first (RFC 4724 §4.2), and that is
    // no fault of the disk.
    neighbours: [
      { name: "host", address: host.ipv4, asn: HOST_AS, gracefulRestart: true, passive: true },
    ],
  });
const peer = (name: string, node: Node, remoteAs: number): string =>
  peerManifest({ name, localAs: HOST_AS, remoteAs, address: node.ipv4, gracefulRestart: true });
const service = (name: string, address: string): string =>
  serviceManifest(name, { loadBalancerIP: address });

type Status = {
  readonly state: string;
  readonly notRecording: { readonly reason: string; readonly lost: number } | null;
  readonly peers: readonly { readonly name: string; readonly state: string }[];
};
const statusOf = (agent: Agent): Promise<Status> => agent.ask<Status>("status");
/** One peer, one Service at 203.0.113.2. */
const base = (far: Node): string =>
  documents(
    poolManifest(["203.0.113.0/24"]),
    peer("router", far, 64999),
    advertisementManifest(),
    service("web", "203.0.113.2"),
  );
/** A line of a stack trace: what our own bugs print, and no fault of the world. */
const STACK = /^ {4}at /m;
const NOBODY = 65_534;
const AS_NOBODY = ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];
/** The router's log says why where it did. */
async function neverReset(router: Router, host: Node): Promise<void> {
  const session = await router.session(host.ipv4);
  const log = session.timesLost > 0 ? router.log() : "";
  expect(session, log).toMatchObject({ timesEstablished: 1, timesLost: 0 });
}
const waitFor = (what: string, look: () => Promise<unknown>, explain: () => Promise<string>) =>
  until(async () => (await look()) !== false && (await look()) !== undefined, {
    what,
    explain,
    timeoutMs: PATIENCE_MS,
  });

describe("a state directory without room", () => {
  test("refuses changes, keeps what is announced, and goes on when there is room again", async () => {
    await using network = await makeNetwork(["host", "router", "other"]);
    const { host, router: far, other: third } = network.nodes;
    await using disk = await smallDisk(join(host.directory, "agent-state"), STATE_KIBIBYTES);
    await using router = await routerAt(far, host, 64999);
    const other = await routerAt(third, host, 64998);
    const manifests = join(host.directory, "manifests.d");
    mkdirSync(manifests);
    writeFileSync(join(manifests, "first.yaml"), service("first", "203.0.113.1"));
    await using agent = await startAgent(host, { config: ALWAYS, manifests });
    const explain = async () => `${await agent.explain()}\n${await router.explain()}`;
    const route = (last: number) => router.route(`203.0.113.${last}/32`);
    const told = (last: number) => waitFor(`203.0.113.${last}`, () => route(last), explain);

    const all = documents(base(far), peer("other", third, 64998));
    expect(await agent.apply(all)).toMatchObject({ code: 0 });
    await told(1);
    await told(2);
    await waitFor(
      "the other session",
      async () => (await other.session(host.ipv4)).established,
      explain,
    );

    disk.fill();
    const refused = await agent.apply(service("late", "203.0.113.3"));
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("NOT_RECORDED");
    expect(refused.stderr).toMatch(/nothing changed.*agent-state is full: make room/);
    expect(await statusOf(agent)).toMatchObject({ state: "degraded", notRecording: {} });
    // A password goes to a file of its own ahead of the log.
    const secret = peerManifest({
      name: "locked",
      localAs: HOST_AS,
      remoteAs: 1,
      address: "192.0.2.9",
      password: "s3cret",
    });
    const refusedSecret = await agent.apply(secret);
    expect(refusedSecret.stderr).toContain("NOT_RECORDED");
    expect(refusedSecret.code).toBe(1);
    writeFileSync(join(manifests, "second.yaml"), service("second", "203.0.113.4"));
    await waitFor(
      "the manifest's refusal",
      async () => agent.stderr().includes("not applied yet"),
      explain,
    );
    // What is seen meanwhile is lost to the book, and counted.
    await other.stop("SIGKILL");
    await waitFor(
      "the loss of the other session",
      async () =>
        (await statusOf(agent)).peers.some(
          ({ name, state }) => name === "other" && state !== "Established",
        ),
      explain,
    );
    await waitFor(
      "the count",
      async () => ((await statusOf(agent)).notRecording?.lost ?? 0) > 0,
      explain,
    );
    expect((await router.routes()).map(({ prefix }) => prefix).toSorted()).toEqual([
      "203.0.113.1/32",
      "203.0.113.2/32",
    ]);
    await neverReset(router, host);

    disk.makeRoom();
    // Nobody does anything: it notices by itself, takes the manifest, and says what is missing from the book.
    await told(4);
    await waitFor("recording", async () => (await statusOf(agent)).notRecording === null, explain);
    expect(await statusOf(agent)).toMatchObject({ state: "running" });
    expect(await agent.apply(service("late", "203.0.113.3"))).toMatchObject({ code: 0 });
    await told(3);
    expect(await agent.apply(secret)).toMatchObject({ code: 0 });
    const gaps = await agent.ask<object[]>("log", "--type", "recording-interrupted");
    expect([gaps].flat()).not.toHaveLength(0);
    expect(await agent.rutter("log", "verify")).toMatchObject({ code: 0 });
    await neverReset(router, host);
    expect(agent.running()).toBe(true);
  });

  test("does not keep a killed agent from coming back with everything it announced", async () => {
    await using network = await makeNetwork(["host", "router"]);
    const { host, router: far } = network.nodes;
    await using disk = await smallDisk(join(host.directory, "agent-state"), STATE_KIBIBYTES);
    await using router = await routerAt(far, host, 64999);
    const first = await startAgent(host, { config: ALWAYS });
    await first.apply(base(far));
    const explain = () => router.explain();
    const again = (times: number) => async () =>
      (await router.session(host.ipv4)).timesEstablished === times &&
      (await router.route("203.0.113.2/32"))?.stale === false;
    await waitFor("the route", again(1), explain);
    await first.kill();
    // Nothing may depend on a page that happens to be free: the holder's name is only for a message.
    rmSync(join(first.state, "log.holder"));
    disk.fill();
    await using second = await first.restart();
    await waitFor("the route after the restart", again(2), explain);
    const recording = async () => (await statusOf(second)).notRecording;
    await waitFor("that it says so", async () => (await recording()) !== null, explain);
    disk.makeRoom();
    await waitFor("that it records", async () => (await recording()) === null, explain);
    expect(await second.rutter("log", "verify")).toMatchObject({ code: 0 });
  });
});

describe("a start that cannot be", () => {
  test.for([
    {
      what: "read-only",
      spoil: (disk: SmallDisk) => disk.remount("ro"),
      mend: (disk: SmallDisk) => disk.remount("rw"),
      words: /^rutter: .*agent-state.*read-?only/i,
    },
    {
      what: "full",
      spoil: async (disk: SmallDisk) => disk.fill(),
      mend: async (disk: SmallDisk) => disk.makeRoom(),
      words: /^rutter: .*agent-state is full: make room/,
    },
  ])("on a $what file system ends with a sentence, and nothing is told to anybody", async (how) => {
    await using network = await makeNetwork(["host", "router"]);
    const { host, router: far } = network.nodes;
    await using disk = await smallDisk(join(host.directory, "agent-state"), STATE_KIBIBYTES);
    await using router = await routerAt(far, host, 64999);
    const first = await startAgent(host, { config: ALWAYS });
    await first.apply(base(far));
    const explain = () => router.explain();
    const told = async () => (await router.route("203.0.113.2/32")) !== undefined;
    await waitFor("the route", told, explain);
    await first.stop();
    await waitFor("its end", async () => !(await told()), explain);
    await how.spoil(disk);
    const refused = await refusedAgent(host, { config: ALWAYS });
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toMatch(how.words);
    expect(refused.stderr).not.toMatch(STACK);
    expect(await router.session(host.ipv4)).toMatchObject({ timesEstablished: 1 });
    await how.mend(disk);
    await using second = await first.restart();
    await waitFor("the route again", told, explain);
    expect(await statusOf(second)).toMatchObject({ state: "running" });
  });

  test.for([
    { what: "a log of another user", file: "log.db", mode: 0o400 },
    { what: "a directory of another user", file: ".", mode: 0o755 },
  ])("on $what ends with a sentence that names it", async ({ file, mode }) => {
    await using network = await makeNetwork(["host"]);
    const { host } = network.nodes;
    await using first = await startAgent(host, { config: ALWAYS });
    await first.stop();
    for (const name of ["", ...readdirSync(first.state)]) {
      chownSync(join(first.state, name), NOBODY, NOBODY);
    }
    const path = join(first.state, file);
    chownSync(path, 0, 0);
    chmodSync(path, mode);
    // The socket, too, goes where this user may write.
    const run = { config: ALWAYS, under: AS_NOBODY, args: ["--socket", join(first.state, "s")] };
    const refused = await refusedAgent(host, run);
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toMatch(/^rutter: .*agent-state.*(denied|readonly|cannot be written)/);
    expect(refused.stderr).not.toMatch(STACK);
  });

  test("beside another agent on the same state or the same socket is refused, and that one goes on", async () => {
    await using network = await makeNetwork(["host", "router"]);
    const { host, router: far } = network.nodes;
    await using router = await routerAt(far, host, 64999);
    await using agent = await startAgent(host, { config: ALWAYS });
    await agent.apply(base(far));
    const explain = () => router.explain();
    await waitFor("the route", () => router.route("203.0.113.2/32"), explain);

    const sameState = await refusedAgent(host, { name: "second", stateOf: "agent" });
    expect(sameState).toMatchObject({ code: 1, stdout: "" });
    expect(sameState.stderr).toMatch(
      new RegExp(`^rutter: .*held by pid ${agent.pid} .*stop it, or .*--state`),
    );
    expect(sameState.stderr).not.toMatch(STACK);
    // Its own state, and the same peer: it must not get as far as speaking to it.
    const manifests = join(host.directory, "third.yaml");
    writeFileSync(manifests, base(far));
    const sameSocket = await refusedAgent(host, { name: "third", socketOf: "agent", manifests });
    expect(sameSocket).toMatchObject({ code: 1, stdout: "" });
    expect(sameSocket.stderr).toMatch(/^rutter: another agent serves on .*agent\.sock/m);
    expect(sameSocket.stderr).not.toMatch(STACK);

    expect(await agent.apply(service("more", "203.0.113.7"))).toMatchObject({ code: 0 });
    await waitFor("a new route", () => router.route("203.0.113.7/32"), explain);
    expect(await statusOf(agent)).toMatchObject({ state: "running", notRecording: null });
    await neverReset(router, host);
    expect(await agent.rutter("log", "verify")).toMatchObject({ code: 0 });
  });
});
