/**
 * `rutter fleet …` at a desk without NATS: keys, the server's permissions, and what is wrong before anything is sent.
 */
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { newSeed, publicKeyOf } from "../../agent/fleet/signing.ts";
import { ownDirectory } from "../log/facts.ts";
import { rutter } from "./rutter.ts";

const [UA, UB] = [publicKeyOf(newSeed("user")), publicKeyOf(newSeed("user"))];

test("keygen writes a seed that only its owner reads, and never over another one", async () => {
  const file = join(ownDirectory(), "publisher.nk");
  const made = await rutter(["fleet", "keygen", "-f", file]);
  expect(made).toMatchObject({ code: 0, stderr: "" });
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const seed = readFileSync(file, "utf8");
  expect(made.stdout).toBe(`${publicKeyOf(seed)}\n`);
  expect(made.stdout).toMatch(/^U[A-Z2-7]{55}\n$/);

  const again = await rutter(["fleet", "keygen", "-f", file]);
  expect(again).toMatchObject({ code: 1, stdout: "" });
  expect(again.stderr).toContain("is there already");
  expect(readFileSync(file, "utf8")).toBe(seed);

  const curve = await rutter(["fleet", "keygen", "--curve", "-f", `${file}.curve`, "-o", "json"]);
  expect(JSON.parse(curve.stdout)).toMatchObject({ file: `${file}.curve` });
  expect(curve.stdout).toMatch(/"X[A-Z2-7]{55}"/);
  expect(curve.stdout).not.toContain(readFileSync(`${file}.curve`, "utf8").trim());
});

test("auth names single subjects for each member, whatever the host is called", async () => {
  const members = `# the fleet\nhost edge.1 ${UA} # rack 7\n\npublisher ops ${UB}\n`;
  const { code, stdout } = await rutter(
    ["fleet", "auth", "--fleet", "berlin", "-f", "-", "-o", "json"],
    members,
  );
  expect(code).toBe(0);
  const { users } = JSON.parse(stdout) as {
    users: readonly { name: string; publish: readonly string[]; subscribe: readonly string[] }[];
  };
  const [host, publisher] = users;
  expect(host).toMatchObject({ name: "edge.1", subscribe: ["_INBOX.host.edge%2E1.>"] });
  expect(host?.publish).toContain("rutter.berlin.host.edge%2E1.audit.desired");
  expect(host?.publish).toContain("$JS.API.CONSUMER.CREATE.rutter-berlin-feed.edge=2E1");
  expect(host?.publish).not.toContain("rutter.berlin.feed.change");
  expect(host?.publish.filter((subject) => /[*>]/.test(subject))).toEqual([
    "$JS.API.DIRECT.GET.rutter-berlin-audit.rutter.berlin.host.edge%2E1.>",
    "$JS.API.CONSUMER.CREATE.KV_rutter-berlin-readers.edge=2E1.$KV.rutter-berlin-readers.*.edge=2E1",
  ]);
  expect(host?.publish).toContain(
    "$JS.API.CONSUMER.CREATE.rutter-berlin-audit.edge=2E1.rutter.berlin.host.edge%2E1.audit.desired",
  );
  expect(host?.publish).toContain("$JS.API.CONSUMER.MSG.NEXT.rutter-berlin-audit.edge=2E1");
  expect(publisher?.publish).toContain("rutter.berlin.feed.change");
  expect(publisher?.publish).toContain("$KV.rutter-berlin-readers.*.*");
  expect(publisher?.publish).not.toContain("$KV.rutter-berlin-status.*");
});

test.for([
  [":1: must be", `host edge1`],
  [`"robot" is not host`, `robot edge1 ${UA}`],
  [`"UABC" is no public nkey`, `host edge1 UABC`],
  [":2: another member has this key", `host a ${UA}\nhost b ${UA}`],
  [":2: there is another host a", `host a ${UA}\nhost a ${UB}`],
  ["names no member", "# nobody"],
] as const)("auth refuses: %s", async ([reason, members]) => {
  const { code, stdout, stderr } = await rutter(
    ["fleet", "auth", "--fleet", "berlin", "-f", "-"],
    members,
  );
  expect(code).toBe(1);
  expect(stdout).toBe("");
  expect(stderr).toContain(reason);
});

test("apply says what is wrong with its configuration, its key and its manifests, each at its place", async () => {
  const directory = ownDirectory();
  const file = (name: string, text: string): string => {
    const path = join(directory, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  const seed = file("signer.nk", newSeed("user"));
  const plain = `name: berlin\nservers: ["nats://127.0.0.1:1"]\n`;
  const apply = (config: string, input: string, ...more: readonly string[]) =>
    rutter(
      ["fleet", "apply", "-f", "-", "--timeout", "0.1", "--fleet-config", config, ...more],
      input,
    );

  const wrong = await apply(file("wrong.yaml", `${plain}server: x\n`), "");
  expect(wrong.code).toBe(1);
  expect(wrong.stderr).toContain("wrong.yaml:3: server: there is no such field");
  const open = file("open.yaml", plain);
  expect(await apply(open, "")).toMatchObject({ code: 2 });
  const noSeed = await apply(open, "", "--signing-seed", file("no.nk", "SUNONE"));
  expect(noSeed.code).toBe(1);
  expect(noSeed.stderr).toContain("no.nk: is not a seed");
  expect(noSeed.stderr).not.toContain("SUNONE");

  const ready = file("fleet.yaml", `${plain}signingSeed: ${seed}\n`);
  const peer = `apiVersion: metallb.io/v1beta2\nkind: BGPPeer\nmetadata: {name: p}\nspec: {myASN: 1}\n`;
  const refused = await apply(ready, peer);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(/-:\d+.*peerASN/);
  expect(refused.stderr).toContain("nothing was changed");
  const away = await apply(ready, "");
  expect(away.code).toBe(1);
  const pool = `apiVersion: metallb.io/v1beta1\nkind: IPAddressPool\nmetadata: {name: p}\nspec: {addresses: [192.0.2.0/24]}\n`;
  const nowhere = await apply(ready, pool);
  expect(nowhere.code).toBe(1);
  expect(nowhere.stderr).toContain("no NATS server of fleet berlin answers (nats://127.0.0.1:1)");
  expect(await rutter(["fleet", "delete", "--fleet-config", ready])).toMatchObject({ code: 2 });
});
