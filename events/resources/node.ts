/**
 * rutter/v1 Node: what a cluster would know about this host and nobody else can say.
 *
 * Its labels are added to those of agent.yaml and of the host, and replace equal keys. Cluster-scoped; its name is the node's.
 */
import * as z from "zod";
import { flag, textMap } from "./fields.ts";
import type { Reading } from "./reading.ts";
import type { Labels, Typed } from "./resource.ts";
import { refuseBadLabels } from "./selectors.ts";

export type Node = Typed<"rutter/Node", NodeSpec>;
export type NodeSpec = {
  readonly labels: Labels;
  /** Kubernetes' condition of that name: while true this host announces no Service. */
  readonly networkUnavailable: boolean;
};

export const writtenNode = z.strictObject({
  labels: textMap.optional(),
  networkUnavailable: flag.optional(),
});

export function nodeSpec(written: z.infer<typeof writtenNode>, reading: Reading): NodeSpec {
  const labels = written.labels ?? {};
  refuseBadLabels(reading, ["spec", "labels"], labels);
  return { labels, networkUnavailable: written.networkUnavailable ?? false };
}
