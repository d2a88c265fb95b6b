/**
 * How far a reader has the lanes of one host: the value of its key in the readers' bucket.
 *
 * Pure. A host refills a lost stream from what the slowest of its readers lacks, so a reader that is no more must be taken out
 * of the bucket. Reads next: cursor.ts.
 */
import * as z from "zod";
import { type Lane, LANES } from "./lanes.ts";

const Schema = z.object({
  /** Of each lane that is read: everything up to this seq was read. */
  lanes: z.partialRecord(z.enum(LANES), z.int().min(0)),
  /** Where in the stream the reader goes on. */
  created: z.string(),
  sequence: z.int().min(0),
});
export type ReaderPosition = z.infer<typeof Schema>;
export type LaneSeqs = Readonly<Partial<Record<Lane, number>>>;

export const positionText = (position: ReaderPosition): string => JSON.stringify(position);

/** undefined: another program wrote it. */
export function readPosition(value: Uint8Array): ReaderPosition | undefined {
  try {
    const parsed = Schema.safeParse(JSON.parse(new TextDecoder().decode(value)));
    return parsed.success ? parsed.data : undefined;
  } catch {
    // JSON from outside.
    return undefined;
  }
}
