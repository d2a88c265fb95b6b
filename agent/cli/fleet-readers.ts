/**
 * `rutter fleet readers`: who reads the hosts' books by name and how far, and the removal of one that is no more.
 *
 * A reader that comes back after its removal begins anew, as one of a new name does. Reads next: ../report/readers.ts.
 */
import { readEntries } from "../fleet/io/to-end.ts";
import { fleetNames, keyToken } from "../fleet/subjects.ts";
import { type ReaderView, readerViews } from "../report/readers.ts";
import { Failure } from "./failure.ts";
import type { Joined, Member } from "./fleet-access.ts";
import { type Context, show } from "./io.ts";
import { screenOf } from "./read.ts";
import { ago, safe, table } from "./terminal.ts";

export type RemoveFlags = { readonly host?: string };

export async function fleetReaders(context: Context, joined: Joined): Promise<void> {
  const views = await viewsOf(joined);
  await show(context, views.map(shown), () => {
    const { nowMillis, width } = screenOf(context.io);
    if (views.length === 0) return "nobody reads this fleet's audit by name\n";
    const rows = views.map(({ reader, host, lanes, sequence, at }) => [
      reader,
      host ?? "(all)",
      host === null
        ? `message ${sequence}`
        : Object.entries(lanes)
            .map(([lane, seq]) => `${lane} ${seq}`)
            .join(", "),
      `${ago(at, nowMillis)} ago`,
    ]);
    return table(["READER", "HOST", "HAS UP TO", "NOTED"], rows, width);
  });
}

/** Takes all that a reader noted out of the bucket, or what it noted of one host. */
export async function removeReader(
  context: Context,
  { connection, config, name: as }: Member,
  reader: string,
  { host }: RemoveFlags,
): Promise<void> {
  const { name: fleet } = config;
  const views = (await viewsOf({ connection, fleet, name: as })).filter(
    (one) => one.reader === reader && (host === undefined || one.host === host),
  );
  if (views.length === 0) {
    const of = host === undefined ? "" : ` of host ${host}`;
    throw new Failure("REFUSED", `fleet ${fleet} has no reader ${reader}${of}`);
  }
  const { readersBucket } = fleetNames(fleet);
  for (const { key } of views) await connection.kvDelete(readersBucket, key);
  await show(context, { fleet, removed: views.map(shown) }, () => {
    const hosts = views.flatMap((one) => one.host ?? []);
    return `reader ${safe(reader)} is removed: ${hosts.map(safe).join(", ") || "it had nothing of any host"}\n`;
  });
}

async function viewsOf({
  connection,
  fleet,
  name,
}: Omit<Joined, "pins">): Promise<readonly ReaderView[]> {
  const { readersBucket: bucket } = fleetNames(fleet);
  const consumer = `${keyToken(name)}-readers-${process.pid}`;
  return readerViews(await readEntries(connection, { bucket, consumer, filter: "*.*" }));
}

const shown = ({ key: _key, ...view }: ReaderView): Omit<ReaderView, "key"> => view;
