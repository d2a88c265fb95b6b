/**
 * Who may say what to this host: signers, and the kinds, namespaces and hosts that each may speak for.
 *
 * Pure. The configuration of the host is the only authority: no message can widen it. A set that goes beyond its signer's
 * scope in one resource is refused whole.
 */
import { type ResourceKey, resourceKeyParts } from "../../events/ids.ts";
import type { Labels } from "../../events/resources/resource.ts";
import { type Refused, refusedFor } from "./change-set.ts";

export type TrustRule = {
  /** `U…`. */
  readonly key: string;
  /** `Kind` or `Kind.group`; absent: all. */
  readonly kinds?: readonly string[];
  /** Of namespaced kinds; kinds of no namespace are allowed where this is absent. */
  readonly namespaces?: readonly string[];
  /** Labels that a host has which this signer may speak to; absent: all hosts. */
  readonly hosts?: { readonly matchLabels: Labels };
};

export type Judgement = { readonly ok: true } | Refused;

/** Whether anybody trusts this signer for anything; asked before its signature costs time. */
export const isTrusted = (trust: readonly TrustRule[], signer: string): boolean =>
  trust.some(({ key }) => key === signer);

/**
 * Whether the signer may speak of all of these. Of several rules for one key each may allow a resource.
 *
 * `labels` are the host's; undefined where no host is asked (the publisher), and then rules for hosts are met.
 */
export function judge(
  keys: Iterable<ResourceKey>,
  signer: string,
  trust: readonly TrustRule[],
  labels: Labels | undefined,
): Judgement {
  const rules = trust.filter(({ key }) => key === signer);
  if (rules.length === 0)
    return refusedFor("signer", `${signer} is no signer that is trusted here`);
  const here = rules.filter(
    ({ hosts }) => hosts === undefined || labels === undefined || hasAll(labels, hosts.matchLabels),
  );
  if (here.length === 0) {
    return refusedFor("scope", "its signer is not trusted for a host with these labels");
  }
  for (const key of keys) {
    if (here.some((rule) => allows(rule, key))) continue;
    const { kind, namespace, name } = resourceKeyParts(key);
    const full = namespace === "" ? name : `${namespace}/${name}`;
    return refusedFor("scope", `its signer is not trusted for ${kind} ${full}`);
  }
  return { ok: true };
}

function allows({ kinds, namespaces }: TrustRule, key: ResourceKey): boolean {
  const { group, kind, namespace } = resourceKeyParts(key);
  const isKind = kinds === undefined || kinds.includes(kind) || kinds.includes(`${kind}.${group}`);
  return isKind && (namespaces === undefined || namespaces.includes(namespace));
}

const hasAll = (labels: Labels, wanted: Labels): boolean =>
  Object.entries(wanted).every(
    ([key, value]) => Object.hasOwn(labels, key) && labels[key] === value,
  );
