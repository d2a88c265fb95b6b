/** placeholder */
import type { BfdProfile } from "./bfd-profile.ts";
import type { BgpAdvertisement } from "./bgp-advertisement.ts";
import type { BgpPeer } from "./bgp-peer.ts";
import type { Community } from "./community.ts";
import type { IpAddressPool } from "./ip-address-pool.ts";
import type { L2Advertisement } from "./l2-advertisement.ts";
import type { Node } from "./node.ts";
import type { Secret } from "./secret.ts";
import type { Service } from "./service.ts";
import type { ServiceEndpoint } from "./service-endpoint.ts";

export type Resource =
  | BfdProfile
  | BgpAdvertisement
  | BgpPeer
  | Community
  | IpAddressPool
  | L2Advertisement
  | Node
  | Secret
  | Service
  | ServiceEndpoint;
