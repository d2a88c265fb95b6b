/**
 * The commands on the log: log, log verify, log export, at.
 *
 * Through the agent, or with `--log FILE` on a file alone (offline.ts, loaded only then). Verifying and exporting always read
 * the file themselves: the agent's main loop has sessions to keep.
 */
import type { AtGetJson, AtStatusJson, EnvelopeJson, LogFileJson } from "../api/contract.ts";
import type { LogQuery, Moment } from "../api/core.ts";
import { formatTime } from "../api/time.ts";
import type { Query } from "./client.ts";
import { factHeading, factLine } from "./fact-lines.ts";
import { Failure } from "./failure.ts";
import { type Context, show } from "./io.ts";
import { countOf, momentOf, momentText, timeOf } from "./moment.ts";
import { screenOf, showResources } from "./read.ts";
import { statusTable } from "./tables.ts";
import { safe, safeJson } from "./terminal.ts";
import { yaml } from "./yaml.ts";

/** What `--follow` shows of the past where nothing says how much, as journalctl does. */
const FOLLOWED_PAST = 10;
/** Octets gathered before they are written. */
const CHUNK_LENGTH = 64 * 1024;

export type LogFlags = {
  readonly log?: string;
  readonly follow?: boolean;
  readonly from?: string;
  readonly to?: string;
  readonly since?: string;
  readonly until?: string;
  readonly type?: string;
  readonly subject?: string;
  readonly limit?: string;
};

const countIn = (text: string | undefined, option: string): number | undefined =>
  text === undefined ? undefined : countOf(text, option);

function queryOf(flags: LogFlags, nowMillis: number): LogQuery {
  const time = (text: string | undefined, option: string) =>
    text === undefined ? undefined : timeOf(text, option, nowMillis);
  return {
    from: countIn(flags.from, "--from"),
    to: countIn(flags.to, "--to"),
    since: time(flags.since, "--since"),
    until: time(flags.until, "--until"),
    types: flags.type?.split(","),
    subject: flags.subject,
    last: countIn(flags.limit, "--limit"),
  };
}

const queryText = (query: LogQuery): Query => ({
  from: query.from,
  to: query.to,
  since: query.since === undefined ? undefined : formatTime(query.since),
  until: query.until === undefined ? undefined : formatTime(query.until),
  type: query.types?.join(","),
  subject: query.subject,
  last: query.last,
});

export async function log(context: Context, flags: LogFlags): Promise<void> {
  const query = queryOf(flags, context.io.nowMillis());
  if (flags.log !== undefined) {
    if (flags.follow === true) {
      throw new Failure("USAGE", "--follow needs the agent; a file does not grow: leave --log out");
    }
    const { logOf } = await import("./offline.ts");
    await showFacts(context, logOf(flags.log, query));
  } else if (flags.follow === true) await follow(context, query);
  else await showFacts(context, context.client().lines<EnvelopeJson>("/v1/log", queryText(query)));
}

async function showFacts(
  { io, output }: Context,
  facts: Iterable<EnvelopeJson> | AsyncIterable<EnvelopeJson>,
  heading = factHeading(),
): Promise<void> {
  let text = output === "table" ? heading : "";
  for await (const fact of facts) {
    text += factText(fact, output);
    if (text.length < CHUNK_LENGTH) continue;
    await io.out(text);
    text = "";
  }
  await io.out(text);
}

function factText(fact: EnvelopeJson, output: Context["output"]): string {
  if (output === "table") return factLine(fact);
  return output === "json" ? `${safeJson(JSON.stringify(fact))}\n` : `---\n${safeJson(yaml(fact))}`;
}

/** The past up to a head that is noted first, then everything after it: no fact twice and none left out. */
async function follow(context: Context, query: LogQuery): Promise<void> {
  const { io, output } = context;
  const client = context.client();
  const { head } = await client.get<LogFileJson>("/v1/log/file");
  const asked = [query.from, query.since, query.last].some((one) => one !== undefined);
  const past = asked
    ? { ...query, to: head }
    : { ...query, from: head - FOLLOWED_PAST + 1, to: head };
  const from = Math.max(1, past.from ?? 1);
  await showFacts(context, client.lines<EnvelopeJson>("/v1/log", queryText({ ...past, from })));
  const coming = { from: head + 1, type: query.types?.join(","), subject: query.subject };
  for await (const fact of client.events<EnvelopeJson>(coming)) {
    await io.out(factText(fact, output));
  }
  throw new Failure("AGENT_LEFT", "the agent has ended");
}

/** The file that was named, or the running agent's. */
async function fileOf(context: Context, named: string | undefined): Promise<string> {
  if (named !== undefined) return named;
  try {
    return (await context.client().get<LogFileJson>("/v1/log/file")).path;
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== "AGENT_NOT_RUNNING") throw error;
    throw new Failure(error.code, `${error.message}; or name the log's file with --log`, {
      cause: error,
    });
  }
}

export async function verify(
  context: Context,
  flags: { readonly log?: string; readonly checkpoint?: string },
): Promise<void> {
  const { io } = context;
  const file = await fileOf(context, flags.log);
  const checkpoint = checkpointOf(flags.checkpoint);
  const { verifyOf } = await import("./offline.ts");
  const verified = verifyOf(file, checkpoint, (seq, head) => {
    if (io.progress) io.err(`\rverified ${seq} of ${head} facts\u001b[K`);
  });
  if (io.progress) io.err("\r\u001b[K");
  await show(context, verified, (one) =>
    one.ok
      ? `whole: ${one.count} facts, the last is seq ${one.head.seq}, hash ${one.head.hash}\n`
      : "",
  );
  if (!verified.ok) {
    throw new Failure(
      "REFUSED",
      `${safe(file)}: broken at seq ${verified.seq}: ${safe(verified.reason)}; whole up to seq ${verified.head.seq}`,
    );
  }
}

function checkpointOf(text: string | undefined) {
  if (text === undefined) return undefined;
  const [, seq = "", hash = ""] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (hash === "")
    throw new Failure("USAGE", `--checkpoint: write SEQ:HASH, as log verify prints them`);
  return { seq: Number(seq), hash };
}

export async function exportFacts(
  context: Context,
  flags: { readonly log?: string; readonly from?: string },
): Promise<void> {
  const file = await fileOf(context, flags.log);
  const { exportOf } = await import("./offline.ts");
  let text = "";
  for (const line of exportOf(file, countOf(flags.from ?? "1", "--from"))) {
    text += line;
    if (text.length < CHUNK_LENGTH) continue;
    await context.io.out(text);
    text = "";
  }
  await context.io.out(text);
}

export type AtFlags = { readonly log?: string; readonly namespace?: string };

/** State as it was; in JSON the same shapes as `status` and `get` of today. */
export async function at(
  context: Context,
  [when, what, kind, name]: readonly [string, string, string | undefined, string | undefined],
  { log: file, namespace }: AtFlags,
): Promise<void> {
  const moment = momentOf(when, context.io.nowMillis());
  if (what === "status") {
    const { status, seq, at: time } = await pastStatus(context, moment, file);
    const head = `as of seq ${seq}, ${time ?? "before the first fact"}\n`;
    await show(context, status, (one) => head + statusTable(one, screenOf(context.io)));
  } else if (what === "get") {
    const query = { kind: kind ?? "all", namespace, name };
    const { resources } = await pastResources(context, moment, query, file);
    if (name !== undefined && resources.length === 0) {
      throw new Failure("REFUSED", `there was no ${query.kind} ${name} [NOT_FOUND]`);
    }
    await showResources(context, resources, name !== undefined && resources.length === 1);
  } else throw new Failure("USAGE", `at: "${what}" is not status or get; see rutter at --help`);
}

async function pastStatus(context: Context, moment: Moment, file: string | undefined) {
  if (file === undefined) {
    return context.client().get<AtStatusJson>("/v1/at/status", { at: momentText(moment) });
  }
  return (await import("./offline.ts")).statusAt(file, moment);
}

async function pastResources(
  context: Context,
  moment: Moment,
  query: { kind: string; namespace: string | undefined; name: string | undefined },
  file: string | undefined,
) {
  if (file !== undefined) return (await import("./offline.ts")).resourcesAt(file, moment, query);
  const { kind, namespace, name } = query;
  return context.client().get<AtGetJson>(`/v1/at/resources/${encodeURIComponent(kind)}`, {
    at: momentText(moment),
    namespace,
    name,
  });
}
