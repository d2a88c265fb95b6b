/**
 * From an outside document to a resource: which kind it is, whether its frame is in order, and what its reader says.
 *
 * Total: whatever comes in, a value comes out. A secret is sealed only once nothing is refused any more.
 * Reads next: kinds.ts (the table), metadata.ts, agent/manifests/read.ts (lines and files).
 */
import { type Kind, kinds, type Resource } from "./kinds.ts";
import { readMetadata } from "./metadata.ts";
import { straighten } from "./misplaced.ts";
import { reasonNotApplicable, successorOf } from "./not-applicable.ts";
import { BGP_EXTRAS } from "./bgp-extras.ts";
import { plainly } from "./plain.ts";
import {
  type FieldComplaint,
  isFields,
  type Manifest,
  newReading,
  type Path,
  type Reading,
  type Rule,
} from "./reading.ts";
import type { Seal, SecretRef } from "./resource.ts";
import { nearest, unknownField } from "./unknown.ts";

export type Parsed =
  | {
      readonly type: "resource";
      readonly resource: Resource;
      readonly warnings: readonly FieldComplaint[];
    }
  | {
      readonly type: "not-applicable";
      readonly apiVersion: string;
      readonly kind: string;
      /** Empty where the document gives none. */
      readonly name: string;
      readonly reason: string;
    }
  /** Never empty. */
  | { readonly type: "refused"; readonly complaints: readonly FieldComplaint[] };

export type ParseOptions = {
  /** Fields in the wrong place are read as meant, with a warning, instead of refused. */
  readonly lenient?: boolean;
};

type Fields = Readonly<Record<string, unknown>>;

/** Groups whose kinds are all ours to know: an unknown one is a mistake (design §5). */
const STRICT_GROUPS = new Set(["metallb.io", "frrk8s.metallb.io", "rutter"]);
/** Older names of kinds. */
const FORMER_NAMES: Readonly<Record<string, string>> = {
  "networking.gke.io/AnthosNetworkGateway": "NetworkGatewayGroup",
};
const byGroupAndKind = new Map(kinds.map((kind) => [kind.type as string, kind]));
const groups = [...new Set(kinds.map(({ group }) => group))].filter((group) => group !== "");

export function parseResource(document: unknown, seal: Seal, options: ParseOptions = {}): Parsed {
  const plain = plainly(document);
  if (plain.type === "refused") return { type: "refused", complaints: [plain.complaint] };
  if (!isFields(plain.value)) {
    return refused(
      [],
      "wrong-type",
      "a manifest is a map with apiVersion, kind, metadata and spec",
    );
  }
  const { apiVersion, kind } = plain.value;
  if (
    typeof apiVersion !== "string" ||
    typeof kind !== "string" ||
    apiVersion === "" ||
    kind === ""
  ) {
    return withoutKind(plain.value);
  }
  return dispatch(plain.value, apiVersion, kind, seal, options);
}

function withoutKind(document: Fields): Parsed {
  const missing = ["apiVersion", "kind"].filter(
    (field) => document[field] === undefined || document[field] === "",
  );
  const [first = Object.hasOwn(document, "kind") ? "kind" : "apiVersion"] = missing;
  return missing.length > 0
    ? refused(
        [first],
        "required",
        `this document has no ${missing.join(" and no ")}: every manifest says what it is`,
      )
    : refused([first], "wrong-type", "apiVersion and kind must be text: put them in quotes");
}

function dispatch(
  document: Fields,
  apiVersion: string,
  kindName: string,
  seal: Seal,
  options: ParseOptions,
): Parsed {
  const [group, version] = splitVersion(apiVersion);
  const id = `${group}/${kindName}`;
  const current = Object.hasOwn(FORMER_NAMES, id) ? `${group}/${FORMER_NAMES[id]}` : id;
  const kind = byGroupAndKind.get(current);
  if (kind === undefined || isForeignConfigMap(kind, document)) {
    return withoutReader(document, apiVersion, group, kindName);
  }
  if (!kind.schemas.has(version)) {
    const served = [...kind.schemas.keys()].map((name) =>
      group === "" ? name : `${group}/${name}`,
    );
    return refused(
      ["apiVersion"],
      "unknown-version",
      `${kindName} is read as ${served.join(" or ")}, not ${apiVersion}`,
    );
  }
  return readKind(kind, { document, apiVersion, version, kindName }, seal, options);
}

function splitVersion(apiVersion: string): readonly [group: string, version: string] {
  const slash = apiVersion.lastIndexOf("/");
  return slash < 0 ? ["", apiVersion] : [apiVersion.slice(0, slash), apiVersion.slice(slash + 1)];
}

const isForeignConfigMap = (kind: Kind, document: Fields): boolean =>
  kind.type === "/ConfigMap" && nameOf(document) !== BGP_EXTRAS;

function nameOf(document: Fields): string {
  const { metadata } = document;
  const name = isFields(metadata) ? metadata["name"] : document["name"];
  return typeof name === "string" ? name : "";
}

function withoutReader(document: Fields, apiVersion: string, group: string, kind: string): Parsed {
  const reason = reasonNotApplicable(group, kind);
  if (reason === undefined) {
    const mistake = mistakenKind(group, kind);
    if (mistake !== undefined) return mistake;
  }
  return {
    type: "not-applicable",
    apiVersion,
    kind,
    name: nameOf(document),
    reason: reason ?? "this kind says nothing to a host",
  };
}

/** A kind of a strict group, or a name that is almost one of ours: passing over it would hide a slip of the pen. */
function mistakenKind(group: string, kind: string): Parsed | undefined {
  const successor = successorOf(group, kind);
  if (successor !== undefined) return refused(["kind"], "unknown-kind", `${kind} ${successor}`);
  const siblings = kinds.filter((known) => known.group === group).map((known) => known.kind);
  const meant = nearest(kind, siblings);
  if (STRICT_GROUPS.has(group) || meant !== undefined) {
    const hint =
      meant === undefined ? `known are ${siblings.join(", ")}` : `did you mean ${meant}?`;
    return refused(
      ["kind"],
      "unknown-kind",
      `${JSON.stringify(kind.slice(0, 80))} is no kind of ${group === "" ? "v1" : group}: ${hint}`,
    );
  }
  const meantGroup = siblings.length > 0 ? undefined : nearest(group, groups);
  if (meantGroup === undefined) return undefined;
  return refused(
    ["apiVersion"],
    "unknown-group",
    `${JSON.stringify(group)} is no group this agent knows: did you mean ${meantGroup}?`,
  );
}

type Found = {
  readonly document: Fields;
  readonly apiVersion: string;
  readonly version: string;
  readonly kindName: string;
};

function readKind(kind: Kind, found: Found, seal: Seal, options: ParseOptions): Parsed {
  const { document, moves } = straighten(found.document);
  const owner = `${kind.type}/${nameOf(document)}`;
  let sealed = false;
  const rehearsal = newReading(owner, () => {
    sealed = true;
    return NOT_SEALED;
  });
  for (const { path, rule, message } of moves) {
    (options.lenient === true ? rehearsal.warn : rehearsal.refuse)(path, rule, message);
  }
  if (kind.schemaOf === "spec") checkTopLevel(kind, document, rehearsal);
  const metadata = readMetadata(document["metadata"] ?? {}, kind.scope, rehearsal);
  if (metadata === undefined) return { type: "refused", complaints: rehearsal.refusals };
  const { apiVersion, version, kindName } = found;
  const manifest: Manifest = { apiVersion, version, kind: kindName, metadata, body: document };
  const resource = kind.read(manifest, rehearsal);
  if (rehearsal.refusals.length > 0) return { type: "refused", complaints: rehearsal.refusals };
  const final = sealed ? readAgain(kind, manifest, seal) : resource;
  if (final === undefined) throw new Error(`the reader of ${kind.type} neither read nor refused`);
  return { type: "resource", resource: final, warnings: rehearsal.warnings };
}

/** Stands in while it is not yet sure that the resource is taken; never gets out. */
const NOT_SEALED: SecretRef = { name: "", version: "", digest: "" };

function readAgain(kind: Kind, manifest: Manifest, seal: Seal): Resource | undefined {
  const { namespace, name } = manifest.metadata;
  return kind.read(manifest, newReading(`${kind.type}/${namespace}/${name}`, seal));
}

const TOP_LEVEL = ["apiVersion", "kind", "metadata", "spec", "status"];

function checkTopLevel(kind: Kind, document: Fields, reading: Reading): void {
  const say = kind.strict ? reading.refuse : reading.warn;
  for (const key of Object.keys(document)) {
    if (!TOP_LEVEL.includes(key)) say([key], "unknown-field", unknownField(key, TOP_LEVEL));
  }
}

const refused = (path: Path, rule: Rule, message: string): Parsed => ({
  type: "refused",
  complaints: [{ path, rule, message }],
});
