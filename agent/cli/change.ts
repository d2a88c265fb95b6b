/**
 * The commands that change desired state, or show what a change would do: apply, delete, plan, confirm.
 *
 * Reads files, sends their text, prints what became of each resource. It parses nothing: the agent does, so that one parser
 * judges a manifest wherever it comes from.
 */
import type {
  ApplyAnswer,
  Complaint,
  ConfirmAnswer,
  PlanAnswer,
  ShadowAnswer,
} from "../api/contract.ts";
import { complaintText } from "../manifests/complaint.ts";
import { ManifestFileError, readSource } from "../manifests/files.ts";
import { decodeText } from "../manifests/text.ts";
import { Failure } from "./failure.ts";
import { type Context, show } from "./io.ts";
import { groupOf, manifestName, planTable } from "./tables.ts";
import { safe } from "./terminal.ts";

export type ChangeFlags = {
  readonly dryRun?: boolean;
  readonly wait?: boolean;
  readonly takeOver?: boolean;
  readonly idempotencyKey?: string;
};
export type ApplyFlags = ChangeFlags & {
  readonly filename: readonly string[];
  readonly keepGoing?: boolean;
  readonly lenient?: boolean;
  readonly prune?: boolean;
};
export type PlanFlags = Omit<ApplyFlags, "filename"> & {
  readonly filename?: readonly string[];
  readonly backend?: ShadowAnswer["backend"];
};
export type DeleteFlags = ChangeFlags & {
  readonly filename?: readonly string[];
  readonly namespace?: string;
};

type File = { readonly name: string; readonly text: string };

/** All files that were named, as text. Throws Failure with a line for each that can't be one. */
export async function readFiles(
  context: Context,
  sources: readonly string[],
): Promise<readonly File[]> {
  const files: File[] = [];
  const complaints: Complaint[] = [];
  for (const source of sources) {
    for (const { file, octets } of await readOne(context, source)) {
      const decoded = decodeText(octets);
      if (decoded.type === "text") files.push({ name: file, text: decoded.text });
      else {
        const { line, rule, message } = decoded.problem;
        const place = { file, line: line + 1, column: 1, field: "" };
        complaints.push({ ...place, rule, message, severity: "error" });
      }
    }
  }
  if (complaints.length > 0) {
    report(context, complaints);
    throw new Failure("CHANGE_REFUSED", nothingChanged(complaints.length));
  }
  if (files.length === 0) {
    const named = sources.join(", ");
    throw new Failure("UNREADABLE", `no manifests (*.yaml, *.yml, *.json) in ${named}`);
  }
  return files;
}

async function readOne({ io }: Context, source: string) {
  try {
    return await readSource(source, io.stdin);
  } catch (error) {
    if (!(error instanceof ManifestFileError)) throw error;
    throw new Failure("UNREADABLE", `${error.message} [${error.code}]`, { cause: error });
  }
}

export const report = ({ io }: Context, complaints: readonly Complaint[]): void => {
  for (const complaint of complaints) {
    io.err(`${complaint.file === "" ? withoutFile(complaint) : complaintText(complaint)}\n`);
  }
};

/** About a resource that was named on the command line and stands in no file. */
const withoutFile = ({ field, message, rule, severity }: Complaint): string =>
  safe(`${severity}: ${field === "" ? "" : `${field}: `}${message} [${rule}]`);

export const nothingChanged = (errors: number): string =>
  `nothing was changed: ${errors} ${errors === 1 ? "error" : "errors"}`;

const errorsIn = (complaints: readonly Complaint[]): number =>
  complaints.filter(({ severity }) => severity === "error").length;

export async function apply(context: Context, flags: ApplyFlags): Promise<void> {
  const { filename, ...options } = flags;
  const files = await readFiles(context, filename);
  await concludeChange(
    context,
    await context.client().post<ApplyAnswer>("/v1/apply", { ...options, files }),
  );
}

/** `rutter delete -f FILE` or `rutter delete KIND NAME...`. */
export async function remove(
  context: Context,
  kind: string | undefined,
  names: readonly string[],
  flags: DeleteFlags,
): Promise<void> {
  const { filename = [], namespace, ...options } = flags;
  const byName = kind !== undefined && names.length > 0;
  if (byName === filename.length > 0) {
    throw new Failure(
      "USAGE",
      "name a KIND and a NAME, or manifests with -f; see rutter delete --help",
    );
  }
  const what = byName
    ? { names: names.map((name) => ({ kind, namespace, name })) }
    : { files: await readFiles(context, filename) };
  await concludeChange(
    context,
    await context.client().post<ApplyAnswer>("/v1/delete", { ...options, ...what }),
  );
}

async function concludeChange(context: Context, answer: ApplyAnswer): Promise<void> {
  await show(context, answer, changeText);
  report(context, answer.complaints);
  const refused = answer.resources.filter(({ result }) => result === "refused").length;
  if (answer.outcome === "refused") {
    throw new Failure(
      "CHANGE_REFUSED",
      nothingChanged(Math.max(errorsIn(answer.complaints), refused, 1)),
    );
  }
  const left = Math.max(errorsIn(answer.complaints), refused);
  if (left > 0) throw new Failure("CHANGE_REFUSED", `${left} refused, the rest was applied`);
}

/** A line a resource, as kubectl prints it, with what there is to say of it below. */
function changeText(answer: ApplyAnswer): string {
  const dry = answer.dryRun ? " (dry run)" : "";
  const lines = answer.resources.flatMap(({ kind, apiVersion, namespace, name, result, notes }) => [
    `${manifestName(groupOf(apiVersion), kind, namespace, name)} ${result}${dry}`,
    ...notes.flatMap((note) => note.split("\n").map((line) => `  ${safe(line)}`)),
  ]);
  for (const { reason } of answer.warnings) lines.push(`warning: ${safe(reason)}`);
  return lines.map((line) => `${line}\n`).join("");
}

export async function plan(context: Context, flags: PlanFlags): Promise<void> {
  const { filename, keepGoing, lenient, prune, takeOver, backend } = flags;
  if (filename === undefined && backend === undefined)
    throw new Failure("USAGE", "name manifests with -f, or another speaker with --backend");
  const files = filename === undefined ? [] : await readFiles(context, filename);
  const body = { files, keepGoing, lenient, prune, takeOver };
  const answer = await context
    .client()
    .post<PlanAnswer>(`/v1/plan${backend === undefined ? "" : `?backend=${backend}`}`, body);
  if (answer.outcome === "planned") await show(context, answer, planTable);
  else if (context.output !== "table") await show(context, answer, () => "");
  report(context, answer.complaints);
  if (answer.outcome === "refused") {
    const errors = Math.max(1, errorsIn(answer.complaints));
    throw new Failure(
      "CHANGE_REFUSED",
      `there is no plan: ${errors} ${errors === 1 ? "error" : "errors"}`,
    );
  }
}

export async function confirm(context: Context, what: string | undefined): Promise<void> {
  const answer = await context
    .client()
    .post<ConfirmAnswer>("/v1/confirm", what === undefined ? {} : { what });
  await show(context, answer, ({ confirmed }) =>
    confirmed.length === 0
      ? "nothing is held\n"
      : confirmed.map((one) => `${safe(one)} confirmed\n`).join(""),
  );
}
