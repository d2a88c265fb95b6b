/**
 * networking.gke.io NetworkGatewayGroup, AnthosNetworkGateway by its older name: addresses that sessions run from and that move between hosts.
 *
 * Only the one named `default` in the cluster's namespace counts upstream, so another name is refused.
 */
import * as z from "zod";
import type { Address } from "../address.ts";
import { texts, unicastAt } from "./fields.ts";
import { type Manifest, type Reading, refuseDuplicates } from "./reading.ts";
import type { Typed } from "./resource.ts";
import { warnUnknown } from "./unknown.ts";

export type NetworkGatewayGroup = Typed<
  "networking.gke.io/NetworkGatewayGroup",
  NetworkGatewayGroupSpec
>;
export type NetworkGatewayGroupSpec = { readonly floatingIPs: readonly Address[] };

export const writtenNetworkGatewayGroup = z.looseObject({
  floatingIPs: texts.min(1, "needs at least one address; two are advised"),
});

export function networkGatewayGroupSpec(
  written: z.infer<typeof writtenNetworkGatewayGroup>,
  manifest: Manifest,
  reading: Reading,
): NetworkGatewayGroupSpec {
  warnUnknown(reading, ["spec"], written, writtenNetworkGatewayGroup);
  const path = ["spec", "floatingIPs"];
  if (manifest.metadata.name !== "default") {
    reading.refuse(["metadata", "name"], "not-allowed", "the gateway's name must be `default`");
  }
  const floatingIPs = written.floatingIPs.flatMap(
    (item, i) => unicastAt(reading, [...path, i], item, "required") ?? [],
  );
  refuseDuplicates(reading, path, floatingIPs, (item) => item, "this address");
  if (floatingIPs.length === 1) {
    reading.warn(
      path,
      "out-of-range",
      "one floating address is one session per peer: two or more are advised",
    );
  }
  return { floatingIPs };
}
