/**
 * A text of manifests read whole: resources with the line they begin on, what is not applicable, and every complaint with its line.
 *
 * Reads text only: files.ts opens files. Total: whatever the text holds, a value comes out, and a limit is a complaint. Nothing is half
 * read: a caller that sees a complaint of severity error applies nothing of that file unless it was asked to keep going.
 * Reads next: yaml-document.ts, simple-yaml.ts, events/resources/parse.ts.
 */
import type { ResourceKey } from "../../events/ids.ts";
import { keyOf, type Resource } from "../../events/resources/kinds.ts";
import { parseResource, type ParseOptions } from "../../events/resources/parse.ts";
import { listItems } from "../../events/resources/plain.ts";
import {
  type FieldComplaint,
  fieldText,
  isFields,
  type Path,
} from "../../events/resources/reading.ts";
import type { Seal } from "../../events/resources/resource.ts";
import { type Chunk, chunksOf } from "./chunks.ts";
import type { Complaint } from "./complaint.ts";
import { readSimply } from "./simple-yaml.ts";
import { decodeText, type TextProblem } from "./text.ts";
import { type Position, readYaml, type YamlDocument } from "./yaml-document.ts";

export type Location = { readonly file: string; readonly line: number };

export type ReadResource = {
  readonly resource: Resource;
  readonly location: Location;
  readonly warnings: readonly Complaint[];
  /** As its author wrote it, where that was asked for. */
  readonly written?: Readonly<Record<string, unknown>>;
};

export type NotApplicable = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly reason: string;
  readonly location: Location;
};

export type ManifestRead = {
  readonly documents: readonly ReadResource[];
  readonly notApplicable: readonly NotApplicable[];
  /** Errors only; warnings stand with their resource. Not empty: the text as a whole is refused. */
  readonly complaints: readonly Complaint[];
};

export type ReadOptions = ParseOptions & {
  readonly seal: Seal;
  /** Keep what each resource was read from: a fleet's publisher sends that. */
  readonly keepWritten?: boolean;
  /** What is read instead of a document; what is kept of it stays as it was. */
  readonly prepare?: (document: Readonly<Record<string, unknown>>) => unknown;
};

/** Documents, with the items of lists: two and a half times the largest host we measure with. */
export const MAX_DOCUMENTS = 250_000;
/** A file that is wrong throughout is told with its first mistakes. */
const MAX_COMPLAINTS = 1000;

export function readManifests(
  input: string | Uint8Array,
  file: string,
  options: ReadOptions,
): ManifestRead {
  const decoded = decodeText(input);
  if (decoded.type === "refused") return nothingBut(file, decoded.problem);
  const chunks = chunksOf(decoded.text, MAX_DOCUMENTS);
  if (chunks.type === "refused") return nothingBut(file, chunks.problem);
  const reading = new Reading(file, options);
  for (const chunk of chunks.chunks) reading.chunk(chunk);
  return reading.result();
}

function nothingBut(file: string, { line, rule, message }: TextProblem): ManifestRead {
  const complaint: Complaint = {
    file,
    line: line + 1,
    column: 1,
    field: "",
    rule,
    message,
    severity: "error",
  };
  return { documents: [], notApplicable: [], complaints: [complaint] };
}

type Place = {
  readonly chunk: Chunk;
  /** Within the chunk, from 0. */
  readonly line: number;
  /** Of the document within the chunk's value: `items[3]`, or nothing. */
  readonly prefix: Path;
  readonly locate: (path: Path) => Position;
};

/** Holds what was read so far: a thing with a lifetime. */
class Reading {
  readonly #file: string;
  readonly #options: ReadOptions;
  readonly #documents: ReadResource[] = [];
  readonly #notApplicable: NotApplicable[] = [];
  readonly #complaints: Complaint[] = [];
  readonly #firstLineOf = new Map<ResourceKey, number>();
  #count = 0;

  constructor(file: string, options: ReadOptions) {
    this.#file = file;
    this.#options = options;
  }

  result(): ManifestRead {
    return {
      documents: this.#documents,
      notApplicable: this.#notApplicable,
      complaints: this.#complaints,
    };
  }

  chunk(chunk: Chunk): void {
    if (this.#complaints.length >= MAX_COMPLAINTS) return;
    const simple = chunk.wholeYaml ? undefined : readSimply(chunk.text);
    if (simple === undefined) {
      for (const document of readYaml(chunk.text)) this.#yaml(chunk, document);
      return;
    }
    // Lines for complaints come from the whole parser, and only where there is something to complain about.
    let whole: YamlDocument | undefined;
    const locate = (path: Path): Position => {
      whole ??= readYaml(chunk.text)[0];
      return whole?.locate(path) ?? { line: 0, column: 0 };
    };
    this.#value(chunk, simple.value, (item) => simple.lineOf.get(item) ?? 0, locate);
  }

  #yaml(chunk: Chunk, document: YamlDocument): void {
    for (const { rule, message, ...position } of document.mistakes) {
      this.#complain(chunk, position, { path: [], rule, message }, "error");
    }
    if (document.mistakes.length > 0) return;
    this.#value(
      chunk,
      document.value,
      (item) => document.lineOf(item) ?? document.start.line,
      document.locate,
    );
  }

  #value(
    chunk: Chunk,
    value: unknown,
    lineOf: (item: object) => number,
    locate: (path: Path) => Position,
  ): void {
    // An empty document, as between two `---`, says nothing.
    if (value === null) return;
    const place = (item: unknown, prefix: Path): Place => ({
      chunk,
      line: typeof item === "object" && item !== null ? lineOf(item) : locate(prefix).line,
      prefix,
      locate,
    });
    const items = listItems(value);
    if (items === undefined) this.#document(value, place(value, []));
    for (const { path, written, document } of items ?? []) {
      this.#document(document, place(written, path));
    }
  }

  #document(document: unknown, place: Place): void {
    this.#count += 1;
    if (this.#count > MAX_DOCUMENTS) {
      if (this.#count === MAX_DOCUMENTS + 1) {
        const message = `more than ${MAX_DOCUMENTS} documents: divide the file`;
        this.#complain(
          place.chunk,
          { line: place.line, column: 0 },
          { path: [], rule: "too-many", message },
          "error",
        );
      }
      return;
    }
    const { seal, prepare, keepWritten } = this.#options;
    const written = isFields(document) ? document : undefined;
    const prepared = written && prepare ? prepare(written) : document;
    const parsed = parseResource(prepared, seal, this.#options);
    const location = { file: this.#file, line: this.#lineInFile(place) };
    if (parsed.type === "refused") {
      for (const complaint of parsed.complaints) this.#complainAt(place, complaint);
    } else if (parsed.type === "not-applicable") {
      const { apiVersion, kind, name, reason } = parsed;
      this.#notApplicable.push({ apiVersion, kind, name, reason, location });
    } else if (this.#isFirst(parsed.resource, place)) {
      const warnings = parsed.warnings.map((complaint) =>
        this.#located(place, complaint, "warning"),
      );
      const kept = keepWritten === true && written !== undefined ? { written } : {};
      this.#documents.push({ resource: parsed.resource, location, warnings, ...kept });
    }
  }

  #isFirst(resource: Resource, place: Place): boolean {
    const key = keyOf(resource);
    const line = this.#lineInFile(place);
    const before = this.#firstLineOf.get(key);
    if (before === undefined) {
      this.#firstLineOf.set(key, line);
      return true;
    }
    const { namespace, name } = resource.metadata;
    const full = namespace === "" ? name : `${namespace}/${name}`;
    const message = `${resource.type.replace(/^\//, "")} ${full} is already on line ${before} and again on line ${line}: remove one of the two`;
    this.#complainAt(place, { path: ["metadata", "name"], rule: "duplicate", message });
    return false;
  }

  #lineInFile = ({ chunk, line }: Place): number => chunk.firstLine + line + 1;

  #complainAt(place: Place, complaint: FieldComplaint): void {
    if (this.#complaints.length < MAX_COMPLAINTS)
      this.#complaints.push(this.#located(place, complaint, "error"));
  }

  #located(place: Place, complaint: FieldComplaint, severity: Complaint["severity"]): Complaint {
    const path = [...place.prefix, ...complaint.path];
    return this.#made(place.chunk, place.locate(path), { ...complaint, path }, severity);
  }

  #complain(chunk: Chunk, at: Position, complaint: Said, severity: Complaint["severity"]): void {
    if (this.#complaints.length < MAX_COMPLAINTS)
      this.#complaints.push(this.#made(chunk, at, complaint, severity));
  }

  #made(chunk: Chunk, at: Position, complaint: Said, severity: Complaint["severity"]): Complaint {
    return {
      file: this.#file,
      line: chunk.firstLine + at.line + 1,
      column: at.column + 1,
      field: fieldText(complaint.path),
      rule: complaint.rule,
      message: complaint.message,
      severity,
    };
  }
}

type Said = { readonly path: Path; readonly rule: string; readonly message: string };
