/**
 * The commands that show what is: get, status, peers, bfd, routes, why, doctor.
 *
 * Each asks the API once and prints; `status --watch` draws again whenever the agent says that something changed.
 */
import type { BfdJson } from "../api/bfd-json.ts";
import type {
  DoctorJson,
  PeerJson,
  ResourceJson,
  RouteJson,
  StatusJson,
  WhyJson,
} from "../api/contract.ts";
import type { ViewJson } from "../api/view-json.ts";
import { Failure } from "./failure.ts";
import { type Context, type Io, show } from "./io.ts";
import {
  bfdTable,
  doctorTable,
  peersTable,
  resourcesTable,
  routeRow,
  routesHeading,
  type Screen,
  statusTable,
  whyTable,
} from "./tables.ts";
import { viewsTable } from "./view-tables.ts";
import { safeJson } from "./terminal.ts";
import { yaml } from "./yaml.ts";

export const screenOf = (io: Io): Screen => ({
  width: io.width(),
  colour: io.colour,
  nowMillis: io.nowMillis(),
});

/** One resource as itself, several as a list; in YAML as documents, which `apply -f -` takes. */
export async function showResources(
  context: Context,
  resources: readonly (ResourceJson | ViewJson)[],
  single: boolean,
): Promise<void> {
  const { io, output } = context;
  if (output === "yaml") await io.out(safeJson(resources.map((one) => yaml(one)).join("---\n")));
  else if (single && output === "json") await show(context, resources[0], () => "");
  else await show(context, resources, (list) => tableOf(list, screenOf(io)));
}

/** Views are of one kind, and have no owner. */
function tableOf(list: readonly (ResourceJson | ViewJson)[], screen: Screen): string {
  const views = list.filter((one): one is ViewJson => !isStored(one));
  return views.length > 0
    ? viewsTable(views, screen)
    : resourcesTable(list.filter(isStored), screen);
}

const isStored = (one: ResourceJson | ViewJson): one is ResourceJson =>
  one.status !== undefined && "owner" in one.status;

export type GetFlags = { readonly namespace?: string; readonly generated?: boolean };

export async function get(
  context: Context,
  kind: string,
  name: string | undefined,
  { namespace, generated }: GetFlags,
): Promise<void> {
  if (kind === "intent") {
    // A table would leave out what the intent is asked for.
    const intent = await context.client().get<object>("/v1/intent");
    await show(context, intent, yaml);
    return;
  }
  const path = `/v1/resources/${encodeURIComponent(kind)}`;
  const found = await context.client().get<(ResourceJson | ViewJson)[]>(path, {
    namespace,
    name,
    generated: generated === true ? true : undefined,
  });
  await showResources(context, found, name !== undefined && found.length === 1);
}

export async function bfd(context: Context): Promise<void> {
  const sessions = await context.client().get<BfdJson[]>("/v1/bfd");
  await show(context, sessions, (list) => bfdTable(list, screenOf(context.io)));
}

export async function status(context: Context, watch: boolean): Promise<void> {
  const { io } = context;
  const draw = (answer: StatusJson): string => statusTable(answer, screenOf(io));
  if (!watch) {
    await show(context, await context.client().get<StatusJson>("/v1/status"), draw);
    return;
  }
  for await (const answer of context.client().events<StatusJson>({ topic: "status" })) {
    if (context.output === "json") await io.out(`${safeJson(JSON.stringify(answer))}\n`);
    else if (context.output === "yaml") await io.out(`---\n${safeJson(yaml(answer))}`);
    else await redraw(io, draw(answer));
  }
  throw new Failure("AGENT_LEFT", "the agent has ended");
}

/** Home, then line by line over what stands there, then clear the rest: no flicker. */
async function redraw(io: Io, text: string): Promise<void> {
  const terminal = io.width() !== undefined;
  const lines = text.replaceAll("\n", "\u001b[K\n");
  await io.out(terminal ? `\u001b[H${lines}\u001b[J` : `${text}\n`);
}

export async function peers(context: Context): Promise<void> {
  const answer = await context.client().get<PeerJson[]>("/v1/peers");
  await show(context, answer, (list) => peersTable(list, screenOf(context.io)));
}

export type RoutesFlags = {
  readonly peer?: string;
  readonly stream?: boolean;
  readonly raw?: boolean;
};

/** Written as it arrives: a full table is never held. */
export async function routes(
  context: Context,
  direction: "received" | "advertised" | "kernel",
  { peer, stream, raw }: RoutesFlags,
): Promise<void> {
  const { io, output } = context;
  const client = context.client();
  const path = `/v1/routes/${direction}`;
  if (output === "json" || stream === true) {
    const asLines = stream === true;
    for await (const piece of client.pieces(path, { peer, raw, stream: asLines })) {
      await io.out(safeJson(piece));
    }
    if (!asLines) await io.out("\n");
    return;
  }
  let heading = output === "table" ? routesHeading() : "";
  let shown = false;
  for await (const route of client.lines<RouteJson>(path, { peer, raw, stream: true })) {
    const row = output === "table" ? routeRow(route) : safeJson(yaml([route]));
    await io.out(heading + row);
    heading = "";
    shown = true;
  }
  if (!shown) await io.out(output === "table" ? "no routes\n" : "[]\n");
}

export async function why(
  context: Context,
  subject: string,
  peer: string | undefined,
): Promise<void> {
  const answer = await context.client().get<WhyJson>("/v1/why", { subject, peer });
  await show(context, answer, (one) => whyTable(one, screenOf(context.io)));
}

export async function doctor(context: Context): Promise<void> {
  const answer = await context.client().get<DoctorJson>("/v1/doctor");
  await show(context, answer, (checks) => doctorTable(checks, screenOf(context.io)));
  const wrong = answer.filter(({ ok, severity }) => !ok && severity === "error").length;
  if (wrong > 0) {
    throw new Failure("CHANGE_REFUSED", `${wrong} ${wrong === 1 ? "check fails" : "checks fail"}`);
  }
}
