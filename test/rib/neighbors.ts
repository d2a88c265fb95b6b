/** A neighbour's intent, as tests want it: everything that is not said is ordinary. */
import type { NeighborIntent } from "../../backends/intent.ts";
import { address } from "../../events/address.ts";
import type { NeighborKey } from "../../events/ids.ts";

export const neighborOf = (given: Partial<NeighborIntent> = {}): NeighborIntent => ({
  key: "|192.0.2.1|" as NeighborKey,
  name: "router",
  backend: "native",
  remoteAs: { type: "external" },
  remote: { type: "address", address: address("192.0.2.1"), port: 179 },
  localAddress: undefined,
  localAsOverride: undefined,
  holdTimeSeconds: 90,
  keepaliveTimeSeconds: 30,
  connectRetrySeconds: 120,
  timeToLive: 1,
  authentication: undefined,
  families: ["ipv4", "ipv6"],
  carriesEvpn: false,
  gracefulRestart: undefined,
  waitsForBfd: false,
  speakerBfd: undefined,
  receiveGuard: undefined,
  receive: { type: "everything" },
  provenance: [],
  ...given,
});
