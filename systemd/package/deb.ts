/**
 * A tree of files as a Debian package: its control files, and dpkg-deb.
 *
 * Octet by octet the same for the same tree and time (SOURCE_DATE_EPOCH, else the time of the last commit). Reads next:
 * layout.ts (the tree), postinst.sh, prerm.sh, postrm.sh (what runs on the host).
 */
import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, globSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Debian 12 and newer take zstd; it is packed in seconds, where xz takes a minute. */
const COMPRESSION = { tight: "-z12", quick: "-z1" } as const;

const CONFFILES = "/etc/rutter/agent.yaml\n";
/** FRR may come after us: its group is then joined (postinst.sh). */
const TRIGGERS = "interest-noawait /usr/lib/frr\n";

/** The oldest that every binary in it runs on; better-sqlite3's asks for most. */
export const LIBC = "2.34";

export type Packed = {
  readonly version: string;
  /** As Debian calls it. */
  readonly architecture: string;
  /** Seconds: the time that all files have. */
  readonly epoch: number;
  /** `quick`: a second instead of twelve, and a quarter larger; for tests. */
  readonly compression: keyof typeof COMPRESSION;
};

const control = ({ version, architecture }: Packed, kibibytes: number): string => `Package: rutter
Version: ${version}
Architecture: ${architecture}
Maintainer: Rutter <rutter@localhost>
Installed-Size: ${kibibytes}
Depends: libc6 (>= ${LIBC}), libgcc-s1, libstdc++6, systemd
Recommends: nftables
Suggests: frr, gobgpd
Section: net
Priority: optional
Description: routing agent for bare-metal hosts
 Takes the manifests that MetalLB users have, peers over BGP, announces virtual
 IPs, and keeps the book: every change is an event in an append-only log, which
 is replayed after any restart. Carries its own Node.
`;

/** Packs `root`, to which DEBIAN/ is added, as `file`. Throws with dpkg-deb's own words. */
export function pack(root: string, file: string, packed: Packed): void {
  const kibibytes = Math.ceil(octetsBelow(root) / 1024);
  const directory = join(root, "DEBIAN");
  mkdirSync(directory);
  writeFileSync(join(directory, "control"), control(packed, kibibytes));
  writeFileSync(join(directory, "conffiles"), CONFFILES);
  writeFileSync(join(directory, "triggers"), TRIGGERS);
  for (const name of ["postinst", "prerm", "postrm"]) {
    copyFileSync(join(import.meta.dirname, `${name}.sh`), join(directory, name));
    chmodSync(join(directory, name), 0o755);
  }
  const level = COMPRESSION[packed.compression];
  const zstd = ["-Zzstd", level, "--threads-max=1"];
  const argv = ["--root-owner-group", ...zstd, "--build", root, file];
  const env = { ...process.env, SOURCE_DATE_EPOCH: String(packed.epoch) };
  const { status, stderr, error } = spawnSync("dpkg-deb", argv, { encoding: "utf8", env });
  if (status !== 0) throw new Error(`dpkg-deb: ${error?.message ?? stderr.trim()}`);
}

const octetsBelow = (root: string): number =>
  globSync("**/*", { cwd: root })
    .map((path) => statSync(join(root, path)))
    .filter((one) => one.isFile())
    .reduce((sum, { size }) => sum + size, 0);
