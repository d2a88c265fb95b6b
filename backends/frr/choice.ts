/**
 * What an operator says of FRR in agent.yaml: where its daemons are, who keeps BFD, and what of theirs the agent may have.
 *
 * Pure. Reads next: open-frr.ts (who acts on it), config/scope.ts (what is whose).
 */

/** How the daemons are found. */
export type FrrPlace = {
  /** Where the daemons' sockets (`bgpd.vty`, …) are. */
  readonly vtyDirectory: string;
  /** As the daemons' `-N`: their sockets are in the directory of this name in vtyDirectory. Empty: none. */
  readonly pathspace: string;
};

/** Neighbours that bgpd has already and that manifests name too: addresses or interfaces, `-vrf` behind them. */
export type TakeOver = "none" | "all" | readonly string[];

export type FrrChoice = FrrPlace & {
  /** Who keeps BFD. `auto`: bfdd where it answers when the agent starts, else the BFD engine, as `engine` says. */
  readonly bfd: "auto" | "bfdd" | "engine";
  readonly takeOver: TakeOver;
};

/** `id` as in names of route maps: `10.0.0.1`, `10.0.0.1-red` in a VRF. */
export const isTakenOver = (takeOver: TakeOver, id: string): boolean =>
  typeof takeOver === "string" ? takeOver === "all" : takeOver.includes(id);
