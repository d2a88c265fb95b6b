/**
 * Views as JSON: what `get` shows in the shape of a manifest and nobody stores (core.ts `views`).
 *
 * In Kubernetes' form, so that what reads these kinds there reads them here. The same contract as contract.ts.
 */
import * as z from "zod";

/** What is shown in the shape of a manifest and stored nowhere: status kinds, and what MetalLB would have generated. */
export const ViewJson = z.object({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({
    name: z.string(),
    /** Absent: of the cluster. */
    namespace: z.string().optional(),
    labels: z.record(z.string(), z.string()),
  }),
  spec: z.unknown(),
  /** Absent of a generated manifest. */
  status: z.record(z.string(), z.unknown()).optional(),
});
export type ViewJson = z.infer<typeof ViewJson>;
