/**
 * What may be asked: the schemas of bodies and query strings, strict, with a limit on everything.
 *
 * Turned into the arguments of core.ts here, so that nothing behind this border asks whether something is set.
 */
import * as z from "zod";
import {
  type ApplyRequest,
  type ChangeOptions,
  CoreError,
  type DeleteRequest,
  type LogQuery,
  type Moment,
  type PlanRequest,
} from "./core.ts";
import { parseTime } from "./time.ts";

/** Names, kinds, subjects: far above Kubernetes' 253 for a name, far below what would hurt. */
const NAME_LENGTH = 1024;
/** Files of one request; a directory with more is a mistake. The body limit of server.ts bounds their size. */
const FILES = 10_000;
/** Idempotency keys are kept in the log with each fact. */
const KEY_LENGTH = 200;

const Name = z.string().min(1).max(NAME_LENGTH);
const OptionalName = Name.optional();
/** `true`, `1` or an empty value in a query string: `?stream`, `?stream=1`. */
const Switch = z
  .enum(["", "1", "true", "0", "false"])
  .default("0")
  .transform((text) => !["0", "false"].includes(text));
const SeqText = z
  .string()
  .regex(/^\d{1,15}$/, "a position in the log, such as 42")
  .transform(Number);
const TimeText = z
  .string()
  .max(64)
  .transform((text, context) => {
    const wall = parseTime(text);
    if (wall !== undefined) return wall;
    context.addIssue({ code: "custom", message: "not a time; write it as 2026-01-31T10:00:00Z" });
    return z.NEVER;
  });
const OwnerText = z.union([
  z.literal("cli"),
  z.templateLiteral(["file:", z.string().min(1).max(NAME_LENGTH)]),
]);

const File = z.strictObject({ name: z.string().max(4096), text: z.string() });
const Files = z.array(File).max(FILES);

const change = {
  owner: OwnerText.default("cli"),
  dryRun: z.boolean().default(false),
  takeOver: z.boolean().default(false),
  wait: z.boolean().default(false),
  idempotencyKey: z.string().min(1).max(KEY_LENGTH).optional(),
};

export const ApplyBody = z.strictObject({
  ...change,
  files: Files.min(1),
  keepGoing: z.boolean().default(false),
  lenient: z.boolean().default(false),
  prune: z.boolean().default(false),
});

export const DeleteBody = z
  .strictObject({
    ...change,
    files: Files.min(1).optional(),
    names: z
      .array(z.strictObject({ kind: Name, namespace: OptionalName, name: Name }))
      .min(1)
      .max(FILES)
      .optional(),
  })
  .refine(({ files, names }) => (files === undefined) !== (names === undefined), {
    message: "one of files and names",
  });

export const PlanQuery = z.strictObject({
  backend: z.enum(["native", "frr", "gobgp"]).optional(),
});

export const PlanBody = ApplyBody.pick({
  owner: true,
  takeOver: true,
  keepGoing: true,
  lenient: true,
  prune: true,
}).extend({
  /** May be missing where another speaker is asked for. */
  files: Files.default([]),
});

export const ConfirmBody = z.strictObject({ what: OptionalName });

export const GetQuery = z.strictObject({ namespace: OptionalName, name: OptionalName });
/** `generated`: not those that are stored but the one that MetalLB's kinds come to; FRRConfigurations alone have one. */
export const ResourcesQuery = GetQuery.extend({ generated: Switch });
export const RoutesQuery = z.strictObject({ peer: OptionalName, raw: Switch, stream: Switch });
export const WhyQuery = z.strictObject({ subject: Name, peer: OptionalName });
export const DirectionPath = z.strictObject({
  direction: z.enum(["received", "advertised", "kernel"]),
});
export const KindPath = z.strictObject({ kind: Name });

export const LogFilter = z.strictObject({
  from: SeqText.optional(),
  to: SeqText.optional(),
  since: TimeText.optional(),
  until: TimeText.optional(),
  /** Event types, comma between them. */
  type: z.string().max(NAME_LENGTH).optional(),
  subject: OptionalName,
  last: SeqText.optional(),
});

export const AtQuery = z.strictObject({
  /** A seq, or a time. */
  at: z
    .string()
    .max(64)
    .transform((text, context): Moment => {
      if (/^\d{1,15}$/.test(text)) return { type: "seq", seq: Number(text) };
      const wall = parseTime(text);
      if (wall !== undefined) return { type: "time", wall };
      context.addIssue({
        code: "custom",
        message: "neither a seq nor a time; write 42 or 2026-01-31T10:00:00Z",
      });
      return z.NEVER;
    }),
});
export const AtGetQuery = AtQuery.extend({ namespace: OptionalName, name: OptionalName });

export const EventsQuery = z.strictObject({
  /** `log`: each fact as it is committed. `status`: the whole status whenever it changes. */
  topic: z.enum(["log", "status"]).default("log"),
  /** Facts from this seq on; absent: only what comes. The header Last-Event-ID rules over it. */
  from: SeqText.optional(),
  type: z.string().max(NAME_LENGTH).optional(),
  subject: OptionalName,
});

function changeOptions(
  body: z.infer<typeof ApplyBody> | z.infer<typeof DeleteBody>,
): ChangeOptions {
  return {
    owner: body.owner,
    dryRun: body.dryRun,
    takeOver: body.takeOver,
    wait: body.wait,
    idempotencyKey: body.idempotencyKey,
  };
}

export function applyRequest(body: z.infer<typeof ApplyBody>): ApplyRequest {
  const { files, keepGoing, lenient, prune } = body;
  return { ...changeOptions(body), files, keepGoing, lenient, prune };
}

export function deleteRequest(body: z.infer<typeof DeleteBody>): DeleteRequest {
  const names = (body.names ?? []).map(({ kind, namespace, name }) => ({ kind, namespace, name }));
  const what =
    body.files === undefined
      ? ({ type: "names", names } as const)
      : ({ type: "files", files: body.files } as const);
  return { ...changeOptions(body), what };
}

/** Throws CoreError BAD_REQUEST where nothing is asked, or where nothing would be pruned down to. */
export function planRequest(
  body: z.infer<typeof PlanBody>,
  { backend }: z.infer<typeof PlanQuery>,
): PlanRequest {
  if (body.files.length === 0 && (backend === undefined || body.prune)) {
    throw new CoreError(
      "BAD_REQUEST",
      "no manifests: name files; only `backend` without `prune` goes without them",
    );
  }
  return { ...body, backend };
}

export const typesOf = (text: string | undefined): readonly string[] | undefined =>
  text?.split(",").filter((one) => one !== "");

export function logQuery(filter: z.infer<typeof LogFilter>): LogQuery {
  const { from, to, since, until, type, subject, last } = filter;
  return { from, to, since, until, types: typesOf(type), subject, last };
}
