/**
 * v1 Secret: only the password of type kubernetes.io/basic-auth, and that only as a reference.
 *
 * No other entry is kept in any form, for a host has no use for it; their values never leave this file.
 */
import * as z from "zod";
import { text, textMap } from "./fields.ts";
import { type Reading, said } from "./reading.ts";
import type { SecretRef, Typed } from "./resource.ts";
import { isMd5Key, MAX_MD5_KEY_OCTETS } from "./session.ts";
import { warnUnknown } from "./unknown.ts";

export type Secret = Typed<"/Secret", SecretSpec>;

export type SecretSpec =
  | { readonly type: "basic-auth"; readonly password: SecretRef }
  /** A Secret that no peer can use, and why. It is kept so that a peer that names it can be told. */
  | { readonly type: "unusable"; readonly reason: string };

export const BASIC_AUTH = "kubernetes.io/basic-auth";

/** How the name of a credential begins that is a Secret's password; namespace and name follow, a dot between them. */
export const SECRET_CREDENTIALS = "rutter.secret.";

/** A Secret has no `spec`: this is the manifest itself. */
export const writtenSecret = z.looseObject({
  type: text.optional(),
  data: textMap.optional(),
  stringData: textMap.optional(),
});
const IGNORED = ["apiVersion", "kind", "metadata", "status", "immutable"];

export function secretSpec(
  written: z.infer<typeof writtenSecret>,
  reading: Reading,
): SecretSpec | undefined {
  warnUnknown(reading, [], written, writtenSecret, IGNORED);
  if (written.type !== BASIC_AUTH) {
    const type = said(written.type) ? written.type : "Opaque";
    return {
      type: "unusable",
      reason: `its type is ${type}, and a peer's password needs ${BASIC_AUTH}`,
    };
  }
  const { path, password } = passwordOf(written);
  if (password === undefined) {
    reading.refuse(
      path,
      "bad-value",
      "the password is not base64 of UTF-8 text: write it under stringData, or encode it",
    );
    return undefined;
  }
  if (!said(password)) return { type: "unusable", reason: "it has no entry `password`" };
  if (!isMd5Key(password)) {
    reading.refuse(
      path,
      "out-of-range",
      `a TCP-MD5 key has 1 to ${MAX_MD5_KEY_OCTETS} octets and no NUL`,
    );
    return undefined;
  }
  if (/[\r\n]$/.test(password)) {
    reading.warn(
      path,
      "bad-value",
      "the password ends in a line break, which belongs to the key: encode it with printf, not echo",
    );
  }
  return { type: "basic-auth", password: reading.seal("password", password) };
}

/** stringData goes before data, as in the Kubernetes API. Empty where there is none, undefined where it is no text. */
function passwordOf(written: z.infer<typeof writtenSecret>): {
  readonly path: readonly string[];
  readonly password: string | undefined;
} {
  const plain = written.stringData?.["password"];
  if (plain !== undefined) return { path: ["stringData", "password"], password: plain };
  return { path: ["data", "password"], password: fromBase64(written.data?.["password"] ?? "") };
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function fromBase64(text_: string): string | undefined {
  const compact = text_.replaceAll(/\s/g, "");
  if (!BASE64.test(compact)) return undefined;
  const octets = Uint8Array.from(atob(compact), (char) => char.codePointAt(0) ?? 0);
  const plain = new TextDecoder().decode(octets);
  // A replacement character that is not in the octets means that they are no UTF-8.
  return new TextEncoder().encode(plain).length === octets.length && !plain.includes("\u{fffd}")
    ? plain
    : undefined;
}
