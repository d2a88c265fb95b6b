/**
 * Secret values in a fleet's manifests: sealed to the hosts that need them, never in clear, and opened only on such a host.
 *
 * A sealed value stands where the clear one would: `{"sealed": {"X…": "<box>"}}`, a box for each host. On a host that has none
 * the value is one that nobody knows, so that a peer stays down for want of it and never comes up without it.
 * Pure but for the keys (signing.ts). Reads next: puts.ts.
 */
import { isFields, type Path } from "../../events/resources/reading.ts";
import type { SecretRef } from "../../events/resources/resource.ts";
import { isMd5Key } from "../../events/resources/session.ts";
import type { Put } from "./change-set.ts";
import { type Opener, sealTo } from "./signing.ts";

type Fields = Readonly<Record<string, unknown>>;
type Change = (value: unknown, path: Path) => unknown;

/** Stands for a value that this host cannot open; a seal of it names no file. */
export const NOT_FOR_THIS_HOST = "sealed for other hosts";

/** The reference to a value that this host cannot open: nothing ever reveals it. */
export const unopened = (name: string): SecretRef => ({ name, version: "none", digest: "" });

/** Where a manifest can hold a secret value, each changed by `change`; the manifest itself where nothing changed. */
function changeSecrets(document: Fields, change: Change): Fields {
  const { kind } = document;
  const group = groupOf(document);
  if (group === "" && kind === "Secret") {
    return inEntries(inEntries(document, "data", change), "stringData", change);
  }
  if (group === "metallb.io" && kind === "BGPPeer") {
    return at(document, "spec", [], (spec, path) => at(spec, "password", path, change));
  }
  if (group !== "frrk8s.metallb.io" || kind !== "FRRConfiguration") return document;
  const neighbors: Change = (value, path) =>
    each(value, path, (neighbor, inner) => at(neighbor, "password", inner, change));
  const routers: Change = (value, path) =>
    each(value, path, (router, inner) => at(router, "neighbors", inner, neighbors));
  return at(document, "spec", [], (spec, path) =>
    at(spec, "bgp", path, (bgp, inner) => at(bgp, "routers", inner, routers)),
  );
}

const groupOf = ({ apiVersion }: Fields): string =>
  typeof apiVersion === "string" ? apiVersion.replace(/\/?[^/]*$/, "") : "";

function at<T>(holder: T, field: string, path: Path, change: Change): T {
  if (!isFields(holder) || !Object.hasOwn(holder, field)) return holder;
  const before = holder[field];
  const after = change(before, [...path, field]);
  return after === before ? holder : { ...holder, [field]: after };
}

const each = (list: unknown, path: Path, change: Change): unknown =>
  Array.isArray(list) ? list.map((item, i) => change(item, [...path, i])) : list;

const inEntries = (document: Fields, field: string, change: Change): Fields =>
  at(document, field, [], (entries, path) =>
    isFields(entries)
      ? Object.fromEntries(
          Object.entries(entries).map(([key, value]) => [key, change(value, [...path, key])]),
        )
      : entries,
  );

/** The boxes of a sealed value by the key that opens each; undefined where the value is not one. */
function boxesOf(value: unknown): ReadonlyMap<string, string> | undefined {
  if (!isFields(value) || !isFields(value["sealed"]) || Object.keys(value).length !== 1) {
    return undefined;
  }
  const boxes = Object.entries(value["sealed"]);
  return boxes.every((entry): entry is [string, string] => typeof entry[1] === "string")
    ? new Map(boxes)
    : undefined;
}

/** The first place that holds a secret value in clear. */
export function clearSecretIn(document: Fields): Path | undefined {
  let found: Path | undefined;
  changeSecrets(document, (value, path) => {
    const isClear = value !== "" && value !== null && boxesOf(value) === undefined;
    if (isClear) found ??= path;
    return value;
  });
  return found;
}

/**
 * The manifest with its sealed values opened, and which they are; a value that is not for `opener`, or that is no key for
 * TCP-MD5 (each host must come to the same verdict), is NOT_FOR_THIS_HOST. Without an opener all are.
 */
export function opened(
  document: Fields,
  fleet: string,
  opener: Opener | undefined,
): { readonly document: Fields; readonly values: ReadonlySet<string> } {
  const values = new Set<string>();
  const context = contextOf(document, fleet);
  const changed = changeSecrets(document, (value) => {
    const boxes = boxesOf(value);
    if (boxes === undefined) return value;
    const box = opener && boxes.get(opener.publicKey);
    const plain = box === undefined ? undefined : opener?.open(box, context);
    if (plain === undefined || !isMd5Key(plain)) return NOT_FOR_THIS_HOST;
    values.add(plain);
    return plain;
  });
  return { document: changed, values };
}

/** The manifest with each clear value sealed to every recipient (`X…`). Of a Secret only the password is kept. Throws KeyError. */
export function sealSecrets(document: Put, fleet: string, recipients: readonly string[]): Put {
  const context = contextOf(document, fleet);
  return changeSecrets(asText(document), (value) =>
    typeof value !== "string" || value === ""
      ? value
      : { sealed: Object.fromEntries(recipients.map((one) => [one, sealTo(one, context, value)])) },
  );
}

/** A box opens for the resource that it was sealed for, in that fleet, and nowhere else. */
function contextOf(document: Fields, fleet: string): string {
  const { kind, metadata } = document;
  const { name, namespace } = isFields(metadata) ? metadata : {};
  const group = groupOf(document);
  const place = namespace === undefined || namespace === "" ? "default" : namespace;
  return JSON.stringify([fleet, group, kind, place, name]);
}

/** A Secret with its password under stringData, where that can be read as text, and without its other entries. */
function asText(document: Put): Put {
  const { apiVersion, kind, data, stringData, ...rest } = document;
  if (apiVersion !== "v1" || kind !== "Secret") return document;
  const plain = isFields(stringData) ? stringData["password"] : undefined;
  const coded = isFields(data) ? data["password"] : undefined;
  const password = plain ?? (typeof coded === "string" ? decoded(coded) : coded);
  return {
    apiVersion,
    kind,
    ...rest,
    ...(password === undefined || password === null ? {} : { stringData: { password } }),
  };
}

const decoded = (coded: string): string => Buffer.from(coded, "base64").toString("utf8");
