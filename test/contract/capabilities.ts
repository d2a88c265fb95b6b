/**
 * What each backend may lack, with the reason and its source. One that declares more fails the suite.
 *
 * Only data.
 * Read next: speakers.ts (who declares), declared.live.test.ts (who compares).
 */
import type { Capability } from "../../backends/backend.ts";
import type { BackendName } from "../../backends/intent.ts";
import type { ProbeName } from "../probes.ts";

/** Traits rather than abilities: who installs, and what BFD of the speaker's own can (the engine can all of it). */
type Trait = "installs-routes" | "bfd-strict" | "bfd-authentication";

/** `own-process`: a speaker beside the agent, which can restart alone. */
export type Need = Exclude<Capability, Trait> | "own-process";

/** A new capability does not compile until it stands here: then somebody decides which scenario needs it. */
const ALL: Readonly<Record<Need, true>> = {
  "tcp-md5": true,
  "graceful-restart": true,
  unnumbered: true,
  vrf: true,
  "local-as": true,
  "routers-per-vrf": true,
  "vrf-import": true,
  "source-interface": true,
  bfd: true,
  evpn: true,
  raw: true,
  "own-process": true,
};
export const NEEDS: readonly Need[] = Object.keys(ALL).filter((name): name is Need =>
  Object.hasOwn(ALL, name),
);

export type Excuse = { readonly reason: string; readonly source: string };

const BY_DESIGN = "design §7";

export const MAY_LACK: Readonly<Record<BackendName, Readonly<Partial<Record<Need, Excuse>>>>> = {
  native: {
    evpn: { reason: "the native speaker has no EVPN", source: BY_DESIGN },
    raw: { reason: "raw lines are FRR's", source: BY_DESIGN },
    "own-process": {
      reason: "the speaker is in the agent and restarts with it",
      source: "design §3",
    },
  },
  frr: {
    "routers-per-vrf": {
      reason: "bgpd has one AS in a VRF",
      source: `${BY_DESIGN}: what its version lacks`,
    },
  },
  gobgp: {
    vrf: { reason: "GoBGP knows no Linux VRF", source: BY_DESIGN },
    unnumbered: { reason: "GoBGP needs an address", source: BY_DESIGN },
    evpn: { reason: "the gobgp backend has no EVPN", source: BY_DESIGN },
    raw: { reason: "raw lines are FRR's", source: BY_DESIGN },
    "vrf-import": { reason: "leaking needs Linux VRF", source: BY_DESIGN },
  },
};

/** Capabilities that no scenario needs yet, and what tries them instead. */
export const ELSEWHERE: Readonly<Partial<Record<Need, string>>> = {
  bfd: "test/live/bfd.live.test.ts, test/live/bfd-process.live.test.ts, test/live/graceful-restart.live.test.ts",
  unnumbered: "test/live/unnumbered.live.test.ts",
  "source-interface": "test/live/source-interface.live.test.ts, test/live/frr-render.live.test.ts",
};

/** Where the kernel decides: without it no backend has the capability. */
export const KERNEL_DECIDES: Readonly<Partial<Record<Need, ProbeName>>> = { "tcp-md5": "tcp-md5" };
