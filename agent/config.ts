/**
 * Reads agent.yaml: the one file whose author may have the agent run commands.
 *
 * So it is trusted only where nobody but root or the agent's own user could have written it; that is asked of the open file,
 * not of its name. Never half-read: one complaint, and the agent does not start. Reads next: config-schema.ts.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import {
  isCollection,
  isMap,
  isNode,
  isPair,
  LineCounter,
  parseDocument,
  type Document,
} from "yaml";
import type { z } from "zod";
import { fieldText, type Path } from "../events/resources/reading.ts";
import { type AgentConfig, type AgentOptions, mergeConfig } from "./config-schema.ts";
import { errorCode } from "./errno.ts";
import {
  type PublisherConfig,
  publisherConfig,
  writtenPublisher,
} from "./fleet/publisher-config.ts";
import { type WrittenConfig, writtenConfig } from "./written-config.ts";

export const DEFAULT_CONFIG = "/etc/rutter/agent.yaml";

export type ConfigProblem = {
  readonly file: string;
  /** From 1; 0 where the whole file is meant. */
  readonly line: number;
  /** Empty where the whole file is meant. */
  readonly field: string;
  readonly message: string;
};

export type ConfigErrorCode = "CONFIG_UNREADABLE" | "CONFIG_UNSAFE" | "CONFIG_INVALID";

export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly code: ConfigErrorCode;
  readonly problems: readonly ConfigProblem[];
  constructor(code: ConfigErrorCode, problems: readonly ConfigProblem[], options?: ErrorOptions) {
    super(problems.map(problemText).join("\n"), options);
    this.code = code;
    this.problems = problems;
  }
}

const problemText = ({ file, line, field, message }: ConfigProblem): string =>
  `${file}${line === 0 ? "" : `:${line}`}: ${field === "" ? "" : `${field}: `}${message}`;

/**
 * The configuration of this host. Throws ConfigError: a file that was named must be there, the default one need not.
 * `defaultFile` is another one in tests only.
 */
export function loadConfig(options: AgentOptions, defaultFile = DEFAULT_CONFIG): AgentConfig {
  const file = options.config ?? defaultFile;
  const text = readTrusted(file, options.config === undefined);
  const written = text === undefined ? {} : parseConfig(text, file);
  return mergeConfig(written, options, hostname());
}

/** A configuration is some kilobytes; more than this is another file. */
const MAX_OCTETS = 1024 * 1024;
const OTHERS_MAY_WRITE = 0o022;

function readTrusted(file: string, mayBeMissing: boolean): string | undefined {
  let descriptor: number;
  try {
    // O_NONBLOCK: a FIFO of that name must not hold the start.
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const code = errorCode(error);
    if (code === "ENOENT" && mayBeMissing) return undefined;
    if (code === "ELOOP") throw unsafe(file, "is a symbolic link: name the file itself");
    const message = code === "ENOENT" ? "there is no such file" : `cannot be read: ${code}`;
    throw new ConfigError("CONFIG_UNREADABLE", [whole(file, message)], { cause: error });
  }
  try {
    const status = fstatSync(descriptor);
    const { uid, mode, size } = status;
    if (!status.isFile()) throw unsafe(file, "is not a regular file");
    if (uid !== 0 && uid !== process.geteuid?.()) {
      throw unsafe(
        file,
        `belongs to user ${uid}: it must belong to root or to the agent's own user`,
      );
    }
    if ((mode & OTHERS_MAY_WRITE) !== 0) {
      throw unsafe(file, "may be written by others than its owner: chmod go-w");
    }
    if (size > MAX_OCTETS) throw unsafe(file, `has ${size} octets; at most ${MAX_OCTETS} are read`);
    return readFileSync(descriptor, "utf8");
  } finally {
    closeSync(descriptor);
  }
}

const whole = (file: string, message: string): ConfigProblem => ({
  file,
  line: 0,
  field: "",
  message,
});
const unsafe = (file: string, message: string): ConfigError =>
  new ConfigError("CONFIG_UNSAFE", [whole(file, message)]);

export const DEFAULT_FLEET_CONFIG = "/etc/rutter/fleet.yaml";

/**
 * What a publisher's file says; where none was named and none is there, what agent.yaml says of the host's own fleet. Throws
 * ConfigError.
 */
export function loadPublisherConfig(named: string | undefined): PublisherConfig {
  const file = named ?? DEFAULT_FLEET_CONFIG;
  const text = readTrusted(file, named === undefined);
  if (text !== undefined) return publisherConfig(parseYaml(writtenPublisher, text, file));
  const fleet = parseConfig(readTrusted(DEFAULT_CONFIG, true) ?? "", DEFAULT_CONFIG).fleet;
  if (fleet === undefined) {
    const message = `is not there, and ${DEFAULT_CONFIG} names no fleet`;
    throw new ConfigError("CONFIG_UNREADABLE", [whole(file, message)]);
  }
  const { hostKey: _hostKey, report: _report, ...rest } = fleet;
  return publisherConfig(rest);
}

/** Throws ConfigError with every complaint, each at its line. An empty file says nothing, which is allowed. */
export const parseConfig = (text: string, file: string): WrittenConfig =>
  parseYaml(writtenConfig, text, file);

function parseYaml<T>(schema: z.ZodType<T>, text: string, file: string): T {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  const lineAt = (offset: number): number => lines.linePos(offset).line;
  if (document.errors.length > 0) {
    const problems = document.errors.map(({ pos, message }) => ({
      file,
      line: lineAt(pos[0]),
      field: "",
      message: message.split("\n", 1)[0] ?? "",
    }));
    throw new ConfigError("CONFIG_INVALID", problems);
  }
  const parsed = schema.safeParse(plain(document, file) ?? {});
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.flatMap(complaints).map(({ path, message }) => ({
    file,
    line: lineAt(offsetOf(document, path)),
    field: fieldText(path),
    message,
  }));
  throw new ConfigError("CONFIG_INVALID", problems);
}

/** An alias bomb is refused by the parser when it is spelt out. */
function plain(document: Document, file: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 20 });
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error;
    throw new ConfigError("CONFIG_INVALID", [whole(file, error.message)], { cause: error });
  }
}

type Complaint = { readonly path: Path; readonly message: string };

function complaints(issue: z.core.$ZodIssue): readonly Complaint[] {
  const path = issue.path.map((part) => (typeof part === "number" ? part : String(part)));
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({ path: [...path, key], message: "there is no such field" }));
  }
  if (issue.code === "invalid_key") {
    return issue.issues.map(({ message }) => ({ path, message }));
  }
  return [{ path, message: issue.message }];
}

/** Where the key at `path` stands, or the nearest thing around it. */
function offsetOf(document: Document, path: Path): number {
  let offset = 0;
  let node: unknown = document.contents;
  for (const part of path) {
    if (!isCollection(node)) break;
    const found = isMap(node)
      ? node.items.find(({ key }) => isNode(key) && String(key.toJSON()) === String(part))
      : node.items[Number(part)];
    if (found === undefined) break;
    const place = isPair(found) ? found.key : found;
    if (isNode(place) && place.range) [offset] = place.range;
    node = isPair(found) ? found.value : found;
  }
  return offset;
}
