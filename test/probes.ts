/**
 * What this machine can run: named probes, each with its reason where it cannot.
 *
 * Asked by tests (probe.ts) and by the reporter that judges skips, so nothing of vitest may be imported here. Probes
 * only look; they leave nothing behind.
 * Read next: probe.ts.
 */
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, mkdtempSync, rmdirSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type * as Koffi from "koffi";
import { isFetched, otherMachine } from "../systemd/package/target.ts";
import { lackingBooted } from "./vm/booted.ts";
import { lackingGuest } from "./vm/kernel.ts";

/** Undefined: the machine can. Otherwise the reason why not, as it ends a line. */
type Probe = () => string | undefined;

/** The material that the tests of outside data read lies beside the project, and is no part of it. */
export const SHARED = join(import.meta.dirname, "../../shared");

const executable =
  (path: string): Probe =>
  () => {
    try {
      accessSync(path, constants.X_OK);
      return undefined;
    } catch {
      return `${path} is not installed`;
    }
  };

const present =
  (path: string): Probe =>
  () =>
    existsSync(join(SHARED, path)) ? undefined : `../shared/${path} is absent`;

const root: Probe = () => (process.getuid?.() === 0 ? undefined : "not root");

/** Makes a namespace, looks into it and takes it away again: only that tells whether a container lets us. */
const inNamespace = (look: (name: string) => string | undefined): string | undefined => {
  const name = `rutter-probe-${process.pid}-${Math.trunc(performance.now() * 1000)}`;
  const made = spawnSync("ip", ["netns", "add", name], { encoding: "utf8" });
  if (made.error !== undefined) return "ip (iproute2) is not installed";
  if (made.status !== 0) return `no network namespaces: ${made.stderr.trim()}`;
  const answer = look(name);
  spawnSync("ip", ["netns", "delete", name]);
  return answer;
};
const netns: Probe = () => inNamespace(() => undefined);
const vrf: Probe = () =>
  inNamespace((name) => {
    const line = ["-n", name, "link", "add", "probe", "type", "vrf", "table", "10"];
    return spawnSync("ip", line).status === 0 ? undefined : "the kernel has no VRF devices";
  });

/** For what is refused where a kernel has no VRFs; with them: test/vm/. */
const withoutVrf: Probe = () => {
  const name = `rutter-probe-${process.pid}-${Math.trunc(performance.now() * 1000)}`;
  const made = spawnSync("ip", ["netns", "add", name]);
  if (made.status !== 0) return "no network namespaces";
  const link = ["-n", name, "link", "add", "probe", "type", "vrf", "table", "10"];
  const { status } = spawnSync("ip", link);
  spawnSync("ip", ["netns", "delete", name]);
  return status === 0 ? "this kernel has VRFs" : undefined;
};

/** Mounts a file system of one page and takes it away again. */
const mount: Probe = () => {
  const directory = mkdtempSync(join(tmpdir(), "rutter-probe-"));
  const argv = ["-t", "tmpfs", "-o", "size=4k", "rutter-probe", directory];
  const made = spawnSync("mount", argv, { encoding: "utf8" });
  if (made.status === 0) spawnSync("umount", [directory]);
  rmdirSync(directory);
  return made.status === 0 ? undefined : `no mounts: ${made.stderr?.trim() ?? "no mount(8)"}`;
};

const IPPROTO_TCP = 6;
/** From linux/tcp.h: the option, and the octets of struct tcp_md5sig. */
const TCP_MD5SIG = 14;
const TCP_MD5SIG_OCTETS = 216;
const AF_INET = 2;
const SOCK_STREAM = 1;

/** A key for 127.0.0.1 on a socket that is never connected: the kernel says at once whether it knows RFC 2385. */
const tcpMd5: Probe = () => {
  const koffi: typeof Koffi = createRequire(import.meta.url)("koffi");
  const libc = koffi.load("libc.so.6");
  const socket = libc.func("int socket(int, int, int)");
  const setsockopt = libc.func("int setsockopt(int, int, int, const uint8_t *, uint32_t)");
  const close = libc.func("int close(int)");
  const option = Buffer.alloc(TCP_MD5SIG_OCTETS);
  option.writeUInt16LE(AF_INET, 0);
  option.set([127, 0, 0, 1], 4);
  option.writeUInt16LE(3, 130);
  option.write("key", 136);
  const descriptor: number = socket(AF_INET, SOCK_STREAM, 0);
  const refused: number = setsockopt(descriptor, IPPROTO_TCP, TCP_MD5SIG, option, option.length);
  close(descriptor);
  return refused === 0 ? undefined : "the kernel has no TCP-MD5";
};

const nft: Probe = () =>
  spawnSync("nft", ["--version"]).error === undefined
    ? undefined
    : "nft (nftables) is not installed";

/** Nothing is fetched for a test. */
const otherArchitecture: Probe = () => {
  const target = otherMachine();
  return isFetched(target)
    ? undefined
    : `its packages are not here: npm run package -- --arch ${target.architecture}`;
};

const probes = {
  root,
  netns: () => root() ?? netns(),
  vrf: () => root() ?? vrf(),
  mount: () => root() ?? mount(),
  "no-vrf": () => root() ?? withoutVrf(),
  bird: executable("/usr/sbin/bird"),
  frr: executable("/usr/lib/frr/bgpd"),
  gobgp: executable("/usr/bin/gobgpd"),
  nats: executable("/usr/sbin/nats-server"),
  openssl: executable("/usr/bin/openssl"),
  nft,
  systemd: executable("/usr/bin/systemd-analyze"),
  "tcp-md5": tcpMd5,
  guest: lackingGuest,
  booted: () => root() ?? lackingBooted(),
  "other-architecture": otherArchitecture,
  "shared-wire": present("wire"),
  "shared-examples": present("examples"),
  "shared-reference": present("reference"),
} as const satisfies Readonly<Record<string, Probe>>;

export type ProbeName = keyof typeof probes;

export const isProbe = (name: string): name is ProbeName => Object.hasOwn(probes, name);

const answers = new Map<ProbeName, string | undefined>();

/** Why this machine cannot, or undefined where it can; each probe runs once a process. */
export function lacking(name: ProbeName): string | undefined {
  if (!answers.has(name)) answers.set(name, probes[name]());
  return answers.get(name);
}
