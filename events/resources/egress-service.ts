/**
 * k8s.ovn.org EgressService: which way a Service's own traffic leaves, and under which source address.
 *
 * Bound to the Service of the same name and namespace; whether that one exists is the plan's.
 */
import * as z from "zod";
import { quoted, text } from "./fields.ts";
import type { Reading } from "./reading.ts";
import type { LabelSelector, Typed } from "./resource.ts";
import { selectorAt, writtenSelector } from "./selectors.ts";
import { warnUnknown } from "./unknown.ts";

export type EgressService = Typed<"k8s.ovn.org/EgressService", EgressServiceSpec>;

export type EgressServiceSpec = {
  /** The Service's address on one elected node, or each node's own address on the way out. Absent: addresses stay as they are. */
  readonly sourceIPBy?: "LoadBalancerIP" | "Network";
  /** Only means something with LoadBalancerIP; an empty one selects every node. */
  readonly nodeSelector: LabelSelector;
  readonly network:
    | { readonly type: "main" }
    | { readonly type: "vrf"; readonly vrf: string }
    | { readonly type: "table"; readonly table: number };
};

export const writtenEgressService = z.looseObject({
  sourceIPBy: z.enum(["LoadBalancerIP", "Network"]).optional(),
  nodeSelector: writtenSelector.optional(),
  network: text.optional(),
});

export function egressServiceSpec(
  written: z.infer<typeof writtenEgressService>,
  reading: Reading,
): EgressServiceSpec {
  warnUnknown(reading, ["spec"], written, writtenEgressService);
  const { sourceIPBy } = written;
  const nodeSelector = selectorAt(reading, ["spec", "nodeSelector"], written.nodeSelector ?? {});
  if (written.nodeSelector !== undefined && sourceIPBy === "Network") {
    reading.warn(
      ["spec", "nodeSelector"],
      "ignored",
      "with sourceIPBy Network every node takes part: remove it",
    );
  }
  return {
    ...(sourceIPBy === undefined ? {} : { sourceIPBy }),
    nodeSelector,
    network: networkAt(written.network ?? "", reading),
  };
}

function networkAt(network: string, reading: Reading): EgressServiceSpec["network"] {
  if (network === "") return { type: "main" };
  if (!/^\d+$/.test(network)) return { type: "vrf", vrf: network };
  const table = Number(network);
  if (table < 1 || table > 0xffff_ffff) {
    reading.refuse(
      ["spec", "network"],
      "out-of-range",
      `${quoted(network)} is no routing table: 1 to 4294967295`,
    );
  }
  return { type: "table", table };
}
