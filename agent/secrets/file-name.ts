/**
 * (name, version) of a secret ↔ the name of its file. Pure but for the digest that shortens long names.
 *
 * Two names never share a file: every octet outside a small set is written as %XX, and a name that would be too long
 * is replaced by its SHA-256 behind a `~`, which no written-out name can hold.
 */
import { createHash } from "node:crypto";

/** ext4 and others allow 255 octets; the version takes 17, and a margin stays. */
const MAX_NAME_OCTETS = 200;
const VERSION = /^[0-9a-f]{16}$/;

/** Throws on a version that is not 16 hexadecimal digits: it may come out of a log that was tampered with. */
export function fileName(name: string, version: string): string {
  if (!VERSION.test(version)) throw new Error("a secret's version has 16 hexadecimal digits");
  let text = "";
  for (const octet of Buffer.from(name)) {
    const char = String.fromCodePoint(octet);
    // A leading dot is for files of our own; elsewhere it is harmless.
    const keeps = /[\w-]/.test(char) || (char === "." && text !== "");
    text += keeps ? char : `%${octet.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  if (text.length > MAX_NAME_OCTETS) text = `~${createHash("sha256").update(name).digest("hex")}`;
  // An empty name must not make a hidden file; a lone % is no octet.
  return `${text === "" ? "%" : text}.${version}`;
}

export const isVersion = (version: string): boolean => VERSION.test(version);
