/**
 * Who reads a fleet's audit by name, and how far: the readers' bucket as a list.
 *
 * Pure. What the slowest reader lacks is where hosts begin when the stream was lost, so one that is gone for good holds that
 * place until it is removed. Reads next: positions.ts (a value), cursor.ts (what follows from it).
 */
import { untoken } from "../fleet/subjects.ts";
import { type LaneSeqs, readPosition } from "./positions.ts";

export type ReaderView = {
  readonly reader: string;
  /** null: where it is in the stream, for all hosts together. */
  readonly host: string | null;
  /** Of each lane: everything up to this seq of the host's log was read. */
  readonly lanes: LaneSeqs;
  /** Up to here the stream was read. */
  readonly sequence: number;
  /** RFC 3339, the server's clock: when it said so. */
  readonly at: string;
  /** In the bucket. */
  readonly key: string;
};

/** Ordered by reader and host. What another program wrote is left out. */
export function readerViews(
  entries: ReadonlyMap<string, { readonly value: Uint8Array; readonly storedAt: string }>,
): readonly ReaderView[] {
  const views = [...entries].flatMap(([key, { value, storedAt }]): readonly ReaderView[] => {
    const [readerToken = "", hostToken = "", ...more] = key.split(".");
    const [reader, host] = [untoken(readerToken), untoken(hostToken)];
    const position = readPosition(value);
    if (reader === undefined || host === undefined || position === undefined || more.length > 0) {
      return [];
    }
    const { lanes, sequence } = position;
    return [{ reader, host: host === "" ? null : host, lanes, sequence, at: storedAt, key }];
  });
  const name = ({ reader, host }: ReaderView): string => `${reader}\0${host ?? ""}`;
  return views.toSorted((a, b) => (name(a) < name(b) ? -1 : 1));
}
