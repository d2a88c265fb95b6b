/**
 * The package with another speaker in a booted Debian: FRR's and gobgpd's own units, as their packages have them, driven by the agent as
 * its own user in its sandbox.
 *
 * What counts is the route at the router, also after the speaker was restarted under the agent.
 */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { cannot, skipUnless } from "../probe.ts";
import type { Booted } from "./booted.ts";
import { buildDebs, type Debs, installed, services, SLOW_MS, type World } from "./packaged.ts";

beforeEach(skipUnless("netns", "frr", "booted"));

let debs: Debs | undefined;
beforeAll(async () => {
  if (!cannot("booted")) debs = await buildDebs(["1.0.0"]);
}, SLOW_MS);
afterAll(() => debs?.[Symbol.dispose]());

const withSpeaker = (
  config: string,
  prepare: (booted: Booted) => Promise<void>,
): Promise<World> => {
  if (debs === undefined) throw new Error("no package was built");
  return installed(debs, { config, prepare, peer: { gracefulRestart: false } });
};

async function startFrr(booted: Booted): Promise<void> {
  await booted.must(["sed", "-i", "s/^bgpd=no/bgpd=yes/", "/etc/frr/daemons"]);
  await booted.must(["systemctl", "start", "frr"]);
}

/** As the file's own head tells an operator to. */
async function startGobgpd(booted: Booted): Promise<void> {
  const place = "/etc/systemd/system/gobgpd.service.d/rutter.conf";
  await booted.must(["install", "-D", "/usr/share/rutter/gobgpd.conf", place]);
  await booted.must(["systemctl", "daemon-reload"]);
  await booted.must(["systemctl", "start", "gobgpd"]);
}

const announces = async (world: World, count: number): Promise<void> => {
  await world.apply(services(count));
  await world.until("the routes", async () => (await world.seen()).routes === count);
};

/** By name and group. */
const userOf = async (booted: Booted): Promise<readonly string[]> => {
  const pid = await booted.property("rutter", "MainPID");
  const groups = /^Groups:\s*(.*)$/m.exec(await booted.must(["cat", `/proc/${pid}/status`]))?.[1];
  const names = (groups ?? "")
    .trim()
    .split(" ")
    .map((id) => booted.must(["getent", "group", id]));
  return (await Promise.all(names)).map((entry) => entry.split(":", 1)[0] ?? "").toSorted();
};

test(
  "FRR as Debian starts it: it announces what the agent tells it over its group's sockets, and again after a restart of it",
  async () => {
    await using world = await withSpeaker("backend: frr\n", startFrr);
    const { booted } = world;
    expect(await userOf(booted)).toEqual(["frrvty", "rutter", "rutter-gobgp"]);
    expect(await booted.must(["rutter", "doctor"])).toContain("speaker: bgpd is up");
    await announces(world, 3);
    const agent = await booted.property("rutter", "MainPID");

    await booted.must(["systemctl", "restart", "frr"]);
    await world.until("another session", async () => (await world.seen()).drops === 1);
    await world.until("the routes", async () => (await world.seen()).routes === 3);
    expect(await booted.property("rutter", "MainPID")).toBe(agent);
  },
  SLOW_MS,
);

test(
  "FRR that comes after the package is joined by dpkg's trigger; without its group doctor names the line",
  async () => {
    await using world = await withSpeaker("", async (booted) => {
      await booted.must(["rm", "/etc/systemd/system/rutter.service.d/frr.conf"]);
    });
    const { booted } = world;
    await startFrr(booted);
    await booted.must(["tee", "-a", "/etc/rutter/agent.yaml"], "backend: frr\n");
    await booted.must(["systemctl", "daemon-reload"]);
    await booted.must(["systemctl", "restart", "rutter"]);
    const told = await booted.run(["rutter", "doctor"]);
    expect(told.stdout).toContain("SupplementaryGroups=frrvty");

    await booted.must(["dpkg-trigger", "--no-await", "--by-package=frr", "/usr/lib/frr"]);
    await booted.must(["dpkg", "--triggers-only", "rutter"]);
    await booted.must(["systemctl", "restart", "rutter"]);
    await announces(world, 1);
    expect(await userOf(booted)).toContain("frrvty");
  },
  SLOW_MS,
);

test(
  "gobgpd as Debian starts it, with the drop-in of the package: a socket for the agent alone, and all is told again after a restart",
  async (context) => {
    skipUnless("gobgp")(context);
    await using world = await withSpeaker("backend: gobgp\n", startGobgpd);
    const { booted } = world;
    const socket = ["stat", "-c", "%U %G %a", "/run/gobgp/gobgpd.sock"];
    expect(await booted.must(socket)).toBe("gobgpd rutter-gobgp 770");
    expect(await booted.must(["getent", "group", "rutter-gobgp"])).toMatch(/:$/);
    expect(await booted.must(["rutter", "doctor"])).toContain("speaker: gobgpd is up");
    await announces(world, 3);
    const agent = await booted.property("rutter", "MainPID");

    await booted.must(["systemctl", "restart", "gobgpd"]);
    await world.until("another session", async () => (await world.seen()).drops === 1);
    await world.until("the routes", async () => (await world.seen()).routes === 3);
    expect(await booted.property("rutter", "MainPID")).toBe(agent);
  },
  SLOW_MS,
);

test(
  "gobgpd as the agent's own child runs in the agent's sandbox, and is started again when it is killed",
  async (context) => {
    skipUnless("gobgp")(context);
    const config = "backend: gobgp\ngobgp: {supervise: {program: /usr/bin/gobgpd}}\n";
    await using world = await withSpeaker(config, () => Promise.resolve());
    const { booted } = world;
    await announces(world, 3);
    await booted.must(["pkill", "--signal", "KILL", "--exact", "gobgpd"]);
    await world.until("another session", async () => (await world.seen()).drops === 1);
    await world.until("the routes", async () => (await world.seen()).routes === 3);
    expect(await booted.property("rutter", "NRestarts")).toBe("0");
  },
  SLOW_MS,
);
