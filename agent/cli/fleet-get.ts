/**
 * `rutter fleet get`: what a fleet is to do, folded from its stream.
 *
 * As every host folds it, with the addresses that the fleet's publisher gave. Reads next: fleet-publisher.ts.
 */
import { CoreError } from "../api/core.ts";
import type { ResourceJson } from "../api/contract.ts";
import { keyNamed, kindNamed } from "../api/kind-names.ts";
import { resourceViews } from "../core/resource-view.ts";
import { headOf } from "../fleet/fleet-state.ts";
import type { FleetView } from "../fleet/io/publisher.ts";
import { Failure } from "./failure.ts";
import { type PublisherFlags, publishing } from "./fleet-publisher.ts";
import { type Context, show } from "./io.ts";
import { screenOf } from "./read.ts";
import { resourcesTable } from "./tables.ts";
import { safe, safeJson } from "./terminal.ts";
import { yaml } from "./yaml.ts";

export type FleetGetFlags = PublisherFlags & { readonly namespace?: string };

/** As it was published, secrets sealed as they are, with what the fleet makes of it as its status. */
type FleetResource = Pick<ResourceJson, "status"> & Readonly<Record<string, unknown>>;

export async function get(
  context: Context,
  kind: string,
  name: string | undefined,
  flags: FleetGetFlags,
): Promise<void> {
  const { types } = named(kind);
  const view = await publishing(flags, ({ publisher }) => publisher.read());
  const { desired } = view.state;
  const views = resourceViews(
    desired,
    { types, namespace: flags.namespace, name },
    () => null,
    undefined,
  );
  if (name !== undefined && views.length === 0) {
    throw new Failure("REFUSED", `the fleet has no ${kind} ${name}`);
  }
  tellPassed(context, view);
  const { io, output } = context;
  if (output === "table") {
    const { generation } = headOf(view.state);
    const head = `fleet ${safe(view.state.fleet)} at generation ${generation}\n`;
    await io.out(head + resourcesTable(views, screenOf(io)));
    return;
  }
  const resources = views.map((one) => asPublished(view, one));
  if (output === "yaml") await io.out(safeJson(resources.map((one) => yaml(one)).join("---\n")));
  else await show(context, name === undefined ? resources : resources[0], () => "");
}

function named(kind: string): ReturnType<typeof kindNamed> {
  try {
    return kindNamed(kind);
  } catch (error) {
    if (!(error instanceof CoreError)) throw error;
    throw new Failure("USAGE", error.message, { cause: error });
  }
}

function asPublished({ state }: FleetView, view: ResourceJson): FleetResource {
  const group = view.apiVersion.includes("/") ? `.${view.apiVersion.split("/")[0] ?? ""}` : "";
  const { name, namespace } = view.metadata;
  const key = keyNamed({ kind: `${view.kind}${group}`, namespace, name });
  return { ...state.puts.get(key), status: view.status };
}

/** What stands in the stream and is not a part of the fleet's state. */
function tellPassed({ io }: Context, { passed }: FleetView): void {
  for (const { sequence, rule, reason } of passed) {
    io.err(
      `${safe(`warning: message ${sequence} of the feed is passed over: ${reason} [${rule}]`)}\n`,
    );
  }
}
