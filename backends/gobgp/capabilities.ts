/**
 * What gobgpd can do for us and what it cannot, with the reason; the same for every version that is driven.
 *
 * Pure. Reads next: ../backend.ts (Capability).
 */
import type { Capabilities } from "../backend.ts";
import { LINUX_VRF, UNNUMBERED } from "./render/speaking.ts";

export const capabilities: Capabilities = {
  has: new Set([
    "tcp-md5",
    "graceful-restart",
    "local-as",
    "routers-per-vrf",
    "source-interface",
    "bfd",
  ]),
  missing: new Map([
    ["vrf", LINUX_VRF],
    ["vrf-import", LINUX_VRF],
    ["unnumbered", UNNUMBERED],
    ["evpn", "EVPN through gobgpd is not carried: use FRR"],
    ["raw", "raw lines are FRR's"],
  ]),
};

/** Shown with a neighbour that is left to whom it belongs. */
export const FOREIGN =
  "gobgpd has a neighbour with this address that was not made by Rutter: remove it there, or set gobgp.takeOver";
