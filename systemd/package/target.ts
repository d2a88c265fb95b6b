/**
 * The machine that a package is for: its names, and the packages of npm that hold its binaries.
 *
 * Those of this machine are in node_modules. Another one's npm does not install here: they are fetched apart, in the versions and
 * with the digests of package-lock.json, and kept below node_modules/.cache. Only Node and koffi are in need of it: better-sqlite3
 * has the binaries of all machines in one package. Reads next: bundle.ts, layout.ts.
 */
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { ROOT } from "./bundle.ts";

const MACHINES = {
  amd64: { cpu: "x64", strip: "x86_64-linux-gnu-strip" },
  arm64: { cpu: "arm64", strip: "aarch64-linux-gnu-strip" },
} as const;

/** As Debian calls it. */
export type Architecture = keyof typeof MACHINES;

export type Target = {
  readonly architecture: Architecture;
  /** As Node and npm call it, behind `linux-`. */
  readonly cpu: string;
  /** Takes symbols out of a program of it, where it is installed. */
  readonly strip: string;
  /** A node_modules with the packages of that machine. */
  readonly packages: string;
};

const OWN_PACKAGES = join(ROOT, "node_modules");
const KEPT = join(OWN_PACKAGES, ".cache/rutter-package");

export const isArchitecture = (name: string): name is Architecture => Object.hasOwn(MACHINES, name);

/** The machine that this runs on. Throws where no package is made for it. */
export function thisMachine(): Target {
  for (const architecture of Object.keys(MACHINES).filter(isArchitecture)) {
    const machine = MACHINES[architecture];
    if (machine.cpu === process.arch) return { architecture, ...machine, packages: OWN_PACKAGES };
  }
  throw new Error(`there is no package for ${process.arch}`);
}

/** Fetches what is missing; throws with npm's own words where that fails. */
export function targetOf(architecture: Architecture): Target {
  const own = thisMachine();
  if (architecture === own.architecture) return own;
  const target = foreign(architecture);
  if (!isFetched(target)) fetch(target);
  return target;
}

/** What another machine's package needs is here, in the versions of package-lock.json. */
export const isFetched = ({ cpu, packages }: Target): boolean => {
  const lock = join(packages, "../package-lock.json");
  return existsSync(lock) && readFileSync(lock, "utf8") === lockOf(cpu);
};

const foreign = (architecture: Architecture): Target => ({
  architecture,
  ...MACHINES[architecture],
  packages: join(KEPT, architecture, "node_modules"),
});

/** The one that this machine is not; whether its packages are here is another question. */
export const otherMachine = (): Target =>
  foreign(thisMachine().architecture === "amd64" ? "arm64" : "amd64");

type Lock = { readonly packages: Readonly<Record<string, { readonly version: string }>> };

/** The part of package-lock.json that is for machines of the kind, as a lock of its own. */
function lockOf(cpu: string): string {
  const { packages }: Lock = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8"));
  const names = [`node-linux-${cpu}`, `@koromix/koffi-linux-${cpu}`];
  const needed = names.map((name) => {
    const entry = packages[`node_modules/${name}`];
    if (entry === undefined) throw new Error(`package-lock.json has no ${name}`);
    return { name, entry };
  });
  const dependencies = Object.fromEntries(needed.map(({ name, entry }) => [name, entry.version]));
  const lock = {
    name: "rutter-package",
    lockfileVersion: 3,
    packages: {
      "": { name: "rutter-package", dependencies },
      ...Object.fromEntries(needed.map(({ name, entry }) => [`node_modules/${name}`, entry])),
    },
  };
  return `${JSON.stringify(lock, undefined, 2)}\n`;
}

/** Whole or not at all: beside its place, then moved there. */
function fetch({ architecture, cpu, packages }: Target): void {
  mkdirSync(KEPT, { recursive: true });
  const place = mkdtempSync(join(KEPT, "new-"));
  try {
    const lock = lockOf(cpu);
    const { packages: all }: Lock = JSON.parse(lock);
    writeFileSync(join(place, "package.json"), JSON.stringify(all[""]));
    writeFileSync(join(place, "package-lock.json"), lock);
    // Forced, for npm refuses a package of another machine that was asked for by name; digests it checks all the same.
    const argv = ["ci", "--force", "--ignore-scripts", "--no-audit", "--no-fund"];
    const { status, stderr, error } = spawnSync("npm", argv, { cwd: place, encoding: "utf8" });
    if (status !== 0) {
      throw new Error(`npm has no packages of ${architecture}: ${error?.message ?? stderr.trim()}`);
    }
    const kept = join(packages, "..");
    rmSync(kept, { recursive: true, force: true });
    renameSync(place, kept);
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}
