/**
 * Secrets by systemd's credentials in a booted Debian: the password of a TCP-MD5 session, encrypted on disk by systemd-creds, that
 * the agent alone is given; and what an operator is told where it is missing. Also keys of the fleet's connection.
 *
 * What counts is FRR's word on the session: its end has the same password.
 */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { newSeed, publicKeyOf } from "../../agent/fleet/signing.ts";
import { startNats } from "../live/nats.ts";
import type { Node } from "../live/netns.ts";
import { cannot, skipUnless } from "../probe.ts";
import type { Booted } from "./booted.ts";
import { buildDebs, type Debs, SLOW_MS, started, type World } from "./packaged.ts";

beforeEach(skipUnless("netns", "frr", "booted", "tcp-md5"));

let debs: Debs | undefined;
beforeAll(async () => {
  if (!cannot("booted")) debs = await buildDebs(["1.0.0"]);
}, SLOW_MS);
afterAll(() => debs?.[Symbol.dispose]());

const PASSWORD = "a-planted-password";
const NAME = "rutter.secret.metallb-system.tor";
const STORE = `/etc/credstore.encrypted/${NAME}`;
const OWN_STORES = ["/var/lib/rutter", "/etc", "/run/systemd", "/var/log", "/run/log"];

/** As the README tells an operator to. */
async function encrypt(booted: Booted, name = NAME, value = PASSWORD): Promise<void> {
  const place = `/etc/credstore.encrypted/${name}`;
  await booted.must(["mkdir", "-p", "-m", "700", "/etc/credstore.encrypted"]);
  const argv = ["systemd-creds", "encrypt", "--with-key=host", `--name=${name}`, "-", place];
  await booted.must(argv, value);
}

async function dropIn(booted: Booted, ...lines: readonly string[]): Promise<void> {
  const directory = "/etc/systemd/system/rutter.service.d";
  await booted.must(["mkdir", "-p", directory]);
  const text = ["[Service]", ...lines, ""].join("\n");
  await booted.must(["tee", `${directory}/credentials.conf`], text);
  await booted.must(["systemctl", "daemon-reload"]);
}

const built = (): Debs => {
  if (debs === undefined) throw new Error("no package was built");
  return debs;
};

const guarded = (prepare: (booted: Booted) => Promise<void>): Promise<World> => {
  const peer = { extra: ['connectTime: "1s"', "passwordSecret: {name: tor}"] };
  return started(built(), { neighbour: { password: PASSWORD }, peer, prepare });
};

const heldBack = async ({ booted }: World): Promise<readonly { readonly reason: string }[]> =>
  JSON.parse(await booted.must(["rutter", "status", "-o", "json"])).quarantined;

test(
  "an encrypted credential is the password of a session, and stands in the clear nowhere; without it the peer is held back",
  async () => {
    await using world = await guarded(async (booted) => {
      await encrypt(booted);
      await dropIn(booted, `LoadCredentialEncrypted=${NAME}`);
    });
    const { booted } = world;
    await world.established();
    const said = await Promise.all([
      booted.must(["rutter", "status", "-o", "json"]),
      booted.must(["rutter", "log", "-o", "json"]),
      booted.must(["rutter", "peers", "-o", "json"]),
      booted.must(["rutter", "doctor"]),
      booted.must(["journalctl", "--no-pager"]),
      booted.must(["systemctl", "show", "rutter"]),
    ]);
    expect(said.join("\n")).toContain(NAME);
    expect(said.join("\n")).not.toContain(PASSWORD);
    const found = await booted.run(["grep", "-rlaF", PASSWORD, ...OWN_STORES]);
    expect(found.stdout).toBe("");

    await booted.must(["rm", STORE]);
    await booted.must(["systemctl", "restart", "rutter"]);
    expect(await booted.property("rutter", "ActiveState")).toBe("active");
    expect(await heldBack(world)).toEqual([
      expect.objectContaining({ reason: expect.stringContaining(`the credential ${NAME}`) }),
    ]);
    expect(await booted.must(["rutter", "doctor"]).catch(String)).toContain(NAME);
    await world.until(
      "the end",
      async () => !(await world.router.session(world.address)).established,
    );

    await encrypt(booted);
    await booted.must(["systemctl", "restart", "rutter"]);
    await world.established();
  },
  SLOW_MS,
);

test(
  "keys of the fleet are files among the unit's credentials: the connection's seed, and the host's own pair",
  async (context) => {
    skipUnless("nats")(context);
    const [login, host, curve] = [newSeed("user"), newSeed("user"), newSeed("curve")];
    const place = "/run/credentials/rutter.service";
    const config = (router: Node): string =>
      `fleet:\n  name: berlin\n  servers: ["nats://${router.ipv4}:4222"]\n  seed: ${place}/fleet-seed\n  hostKey: ${place}/host.nk\n  trust: [{key: ${publicKeyOf(login)}}]\n`;
    await using world = await started(built(), {
      config,
      async prepare(booted, router) {
        const users = `authorization { users = [ { nkey: ${publicKeyOf(login)} } ] }`;
        await startNats(router, { config: users });
        await encrypt(booted, "fleet-seed", login);
        await encrypt(booted, "host.nk", host);
        await encrypt(booted, "host.nk.curve", curve);
        const names = ["fleet-seed", "host.nk", "host.nk.curve"];
        await dropIn(booted, ...names.map((name) => `LoadCredentialEncrypted=${name}`));
      },
    });
    const { booted } = world;
    const fleet = async () =>
      JSON.parse(await booted.must(["rutter", "status", "-o", "json"])).fleet;
    await world.until("the connection", async () => (await fleet()).connected);
    expect(await fleet()).toMatchObject({
      hostKey: publicKeyOf(host),
      sealTo: publicKeyOf(curve),
    });

    await booted.must(["rm", "/etc/credstore.encrypted/fleet-seed"]);
    await booted.must(["systemctl", "restart", "rutter"]);
    await world.until("a reason", async () => (await fleet()).reason.includes("fleet-seed"));
    expect((await fleet()).connected).toBe(false);
  },
  SLOW_MS,
);
