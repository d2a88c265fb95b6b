/**
 * `rutter fleet rebase`: a new history for a fleet whose stream was lost, above what its hosts have.
 *
 * What is wanted comes from manifests, the generation and the addresses from a host: every host has all of both in its log. What
 * hosts hold besides stays until it is confirmed there; nothing is withdrawn by this. Reads next: fleet-change.ts.
 */
import { readFileSync } from "node:fs";
import { parseAddress } from "../../events/address.ts";
import { resourceKey, type ResourceKey } from "../../events/ids.ts";
import { aheadText } from "../fleet/ahead.ts";
import type { Allocated } from "../fleet/change-set.ts";
import { Failure } from "./failure.ts";
import { conclude, manifests } from "./fleet-change.ts";
import { type PublisherFlags, publishing } from "./fleet-publisher.ts";
import type { Context } from "./io.ts";

export type RebaseFlags = PublisherFlags & {
  readonly filename: readonly string[];
  readonly status: string;
};

/** What `rutter status -o json` of a host says, as far as it is read here. */
type HostStatus = {
  readonly fleet?: { readonly name: string; readonly generation: number } | null;
  readonly services: readonly {
    readonly namespace: string;
    readonly name: string;
    readonly addresses: readonly { readonly address: string; readonly pool: string }[];
  }[];
};

/** A base above a host's generation, with the addresses that the host has; then what the base could not say. */
export async function rebase(context: Context, flags: RebaseFlags): Promise<void> {
  await publishing(flags, async (by) => {
    const { puts, keys } = await manifests(context, flags.filename, by);
    const status = statusIn(flags.status, by.config.name);
    const given = new Map(
      status.services.map(({ namespace, name, addresses }) => [
        resourceKey("", "Service", namespace, name),
        addresses.flatMap((one) => {
          const parsed = parseAddress(one.address);
          return parsed === undefined ? [] : [{ address: parsed, pool: one.pool as ResourceKey }];
        }),
      ]),
    );
    // A Service that the host does not know is given its address by the change set behind the base.
    const known = keys.map((key) => !key.startsWith("/Service/") || given.has(key));
    const allocations = keys.flatMap((service): readonly Allocated[] => {
      const addresses = given.get(service) ?? [];
      return addresses.length === 0 ? [] : [{ service, addresses }];
    });
    const has = status.fleet?.generation ?? 0;
    const [newest] = await by.heard();
    const ahead = newest === undefined ? undefined : aheadText([newest], has);
    if (ahead !== undefined && flags.despiteHosts !== true) {
      const text = `${flags.status} is of generation ${has}, and ${ahead}: take the status of that host, or say --despite-hosts`;
      throw new Failure("REFUSED", text);
    }
    await by.publisher.ensureStreams(by.config.replicas);
    const generation = Math.max(has, newest?.generation ?? 0) + 1;
    const all = puts.filter((_, i) => known[i]);
    if (!(await by.publisher.rebase(generation, all, allocations))) {
      throw new Failure("REFUSED", "another message came into the stream meanwhile: try again");
    }
    context.io.err(
      `a base of generation ${generation} with ${all.length} resources is published\n`,
    );
    await conclude(context, by, await by.publisher.publish(() => ({ puts, deletes: [] }), false));
  });
}

function statusIn(file: string, fleet: string): HostStatus {
  const status = parsed(file);
  if (status.fleet?.name !== fleet) {
    throw new Failure(
      "UNREADABLE",
      `${file}: is no \`rutter status -o json\` of a host of ${fleet}`,
    );
  }
  return status;
}

function parsed(file: string): HostStatus {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as HostStatus;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new Failure("UNREADABLE", `${file}: ${error.message}`, { cause: error });
  }
}
