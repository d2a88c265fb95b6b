/**
 * Which FRR it is: what decides how it spells its configuration, and what it can be told at all.
 *
 * Pure. FRR leaves defaults out of `show running-config`, and what is a default depends on the version and on the profile that the
 * daemons were started with (`-F`). Reads next: render/render.ts.
 */

export type FrrVersion = {
  readonly major: number;
  readonly minor: number;
  /** `frr defaults …`; Debian's and upstream's own packages start with `traditional`. */
  readonly profile: "traditional" | "datacenter";
};

/** Reads the head of a running configuration, `frr version 8.4.4` and `frr defaults traditional`; undefined where it has none. */
export function frrVersionOf(running: string): FrrVersion | undefined {
  const [, major, minor] = /^frr version (\d+)\.(\d+)/m.exec(running) ?? [];
  if (major === undefined || minor === undefined) return undefined;
  const profile = /^frr defaults datacenter$/m.test(running) ? "datacenter" : "traditional";
  return { major: Number(major), minor: Number(minor), profile };
}

export const isAtLeast = (version: FrrVersion, major: number, minor: number): boolean =>
  version.major > major || (version.major === major && version.minor >= minor);
