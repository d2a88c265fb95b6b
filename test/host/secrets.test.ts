/**
 * Secrets beside the log: same value same reference, on disk before it is named, whole or absent, ours alone.
 */
import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { fileName } from "../../agent/secrets/file-name.ts";
import { openSecrets } from "../../agent/secrets/secrets.ts";

let state = "";
let credentials = "";
beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), "rutter-secrets-"));
  credentials = join(state, "credentials");
  mkdirSync(credentials);
  writeFileSync(join(credentials, "rutter-secrets-key"), "0123456789abcdef0123456789abcdef");
});
afterEach(() => rmSync(state, { recursive: true }));

const path = (name: string, version: string) => join(state, "secrets", fileName(name, version));

/** In none of these tests may the credentials of the test's own process count. */
const open = (from = join(state, "no-credentials")) => openSecrets(state, from);
const files = (): readonly string[] =>
  readdirSync(join(state, "secrets")).filter((name) => !name.startsWith("."));
const contents = (): string =>
  readdirSync(join(state, "secrets"))
    .map((name) => readFileSync(join(state, "secrets", name), "utf8"))
    .join("\n");

test("what was flushed is revealed, also to the next run", async () => {
  const secrets = open();
  const ref = secrets.seal("metallb.io/BGPPeer/x/y#password", "hunter2!");
  await secrets.flush();
  expect(secrets.reveal(ref)).toBe("hunter2!");
  expect(open().reveal(ref)).toBe("hunter2!");
});

test("the same value gives the same reference in every run, another value another one", async () => {
  const first = open().seal("a", "value");
  const later = open();
  expect(later.seal("a", "value")).toEqual(first);
  expect(later.seal("b", "value").digest).toBe(first.digest);
  expect(later.seal("a", "other").version).not.toBe(first.version);
});

test("another host's key gives another digest, so a log tells nothing about values", () => {
  const here = open().seal("a", "value");
  const elsewhere = mkdtempSync(join(tmpdir(), "rutter-secrets-"));
  expect(openSecrets(elsewhere, "/nonexistent").seal("a", "value").digest).not.toBe(here.digest);
  rmSync(elsewhere, { recursive: true });
});

test("nothing reaches the disk before flush(), nor after discard()", async () => {
  const secrets = open();
  const ref = secrets.seal("a", "value-of-a");
  expect(files()).toEqual([]);
  secrets.discard();
  await secrets.flush();
  expect(files()).toEqual([]);
  expect(secrets.reveal(ref)).toBeUndefined();
});

test("one command's discard() leaves another's secrets alone", async () => {
  const secrets = open();
  const [one, two] = [secrets.batch(), secrets.batch()];
  const ref = one.seal("a", "first");
  two.seal("b", "second");
  two.discard();
  await one.flush();
  expect(secrets.reveal(ref)).toBe("first");
  expect(files()).toHaveLength(1);
});

test("directory and files are open to nobody else, and no draft stays", async () => {
  const secrets = open();
  secrets.seal("a", "value");
  await secrets.flush();
  const directory = join(state, "secrets");
  expect(statSync(directory).mode & 0o777).toBe(0o700);
  for (const name of readdirSync(directory)) {
    expect(statSync(join(directory, name)).mode & 0o777, name).toBe(0o600);
  }
  expect(readdirSync(directory).toSorted()).toEqual([".key", ...files()]);
});

test("a missing, a damaged and a swapped file reveal nothing", async () => {
  const secrets = open();
  const [a, b] = [secrets.seal("a", "first"), secrets.seal("b", "second")];
  await secrets.flush();
  rmSync(path("a", a.version));
  expect(open().reveal(a)).toBeUndefined();
  renameSync(path("b", b.version), path("a", a.version));
  expect(open().reveal(a)).toBeUndefined();
  writeFileSync(path("b", b.version), "{", { mode: 0o600 });
  expect(open().reveal(b)).toBeUndefined();
});

test("a reference whose version is a path reveals nothing", () => {
  expect(open().reveal({ name: "a", version: "../../etc/pass", digest: "00" })).toBeUndefined();
});

test("a key that others may read, or that has a second name, is refused", () => {
  open();
  const key = join(state, "secrets", ".key");
  chmodSync(key, 0o640);
  expect(() => open()).toThrow(expect.objectContaining({ code: "SECRETS_UNSAFE" }));
  chmodSync(key, 0o600);
  linkSync(key, join(state, "copy"));
  expect(() => open()).toThrow(expect.objectContaining({ code: "SECRETS_UNSAFE" }));
});

test("with a credential neither a value nor the key is on disk in the clear", async () => {
  const secrets = open(credentials);
  const ref = secrets.seal("a", "planted-value");
  await secrets.flush();
  expect(contents()).not.toContain("planted-value");
  expect(contents()).not.toContain('"value"');
  expect(open(credentials).reveal(ref)).toBe("planted-value");
});

test("encrypted secrets without their credential stop the agent instead of losing every session's key", () => {
  open(credentials);
  expect(() => open()).toThrow(expect.objectContaining({ code: "SECRETS_LOCKED" }));
});

test("a credential that comes later encrypts what was in the clear, under the same references", async () => {
  const secrets = open();
  const ref = secrets.seal("a", "planted-value");
  await secrets.flush();
  const later = open(credentials);
  expect(later.reveal(ref)).toBe("planted-value");
  expect(later.seal("a", "planted-value")).toEqual(ref);
  expect(contents()).not.toContain("planted-value");
});

const give = (name: string, value: string): void =>
  writeFileSync(join(credentials, `rutter.secret.${name}`), value);

test("a credential is a Secret's password, of this run alone: it is redacted and never on disk", async () => {
  give("metallb-system.tor", "given-password\n");
  give("metallb-system.tor.2", "another");
  const secrets = open(credentials);
  await secrets.flush();
  const applied = secrets.seal("/Secret/metallb-system/tor#password", "given-password");
  expect(secrets.given).toEqual({
    "metallb-system/tor": {
      type: "basic-auth",
      password: { ...applied, name: "rutter.secret.metallb-system.tor" },
    },
    "metallb-system/tor.2": { type: "basic-auth", password: expect.anything() },
  });
  const ref = { ...applied, name: "rutter.secret.metallb-system.tor" };
  expect(secrets.reveal(ref)).toBe("given-password");
  expect(secrets.redact("it is given-password.")).toBe("it is <redacted>.");
  expect(files()).toEqual([]);
  rmSync(join(credentials, "rutter.secret.metallb-system.tor"));
  const later = open(credentials);
  expect(Object.keys(later.given ?? {})).toEqual(["metallb-system/tor.2"]);
  expect(later.reveal(ref)).toBeUndefined();
});

test("a credential that is no key is named with the reason, and one for something else is no Secret", () => {
  give("a.empty", "\n");
  give("a.long", "x".repeat(81));
  writeFileSync(join(credentials, "rutter.secret.a.binary"), Buffer.from([0xff, 0xfe]));
  give("nameless", "x");
  writeFileSync(join(credentials, "database-password"), "x");
  const unusable = (name: string, why: string) => ({
    type: "unusable",
    reason: `the credential rutter.secret.a.${name} ${why}`,
  });
  const noKey = "is no TCP-MD5 key: 1 to 80 octets and no NUL";
  expect(open(credentials).given).toEqual({
    "a/binary": unusable("binary", "is no UTF-8 text"),
    "a/empty": unusable("empty", noKey),
    "a/long": unusable("long", noKey),
  });
  rmSync(credentials, { recursive: true });
  mkdirSync(credentials);
  give("nameless", "x");
  rmSync(join(state, "secrets"), { recursive: true });
  expect(open(credentials).given).toBeUndefined();
  expect(open().given).toBeUndefined();
});

test("sweep() takes what no reference names, and never what this run wrote", async () => {
  const before = open();
  const [kept] = [before.seal("a", "kept"), before.seal("b", "lost")];
  await before.flush();
  const now = open();
  const fresh = now.seal("c", "fresh");
  await now.flush();
  expect(await now.sweep([kept])).toBe(1);
  expect(now.reveal(kept)).toBe("kept");
  expect(now.reveal(fresh)).toBe("fresh");
});

test("property: two names never share a file, and every name is one path component", () => {
  const version = "0123456789abcdef";
  const name = fc.string({ unit: "binary", maxLength: 300 });
  fc.assert(
    fc.property(name, name, (a, b) => {
      const file = fileName(a, version);
      expect(file).toMatch(/^[\w%~-][\w.%~-]*$/);
      expect(Buffer.byteLength(file)).toBeLessThan(255);
      expect(file === fileName(b, version)).toBe(Buffer.from(a).equals(Buffer.from(b)));
    }),
  );
  expect(fileName("a/b", version)).not.toBe(fileName("a%2Fb", version));
});
