/**
 * Authentication sections of BFD Control packets (RFC 5880 §4.2–4.4, §6.7): made and verified.
 *
 * Pure but for node:crypto's digests. Never holds a key longer than the call.
 */

/** RFC 5880 §4.1 Auth Type 1 to 5. */
export type AuthenticationType =
  | "simple-password"
  | "keyed-md5"
  | "meticulous-keyed-md5"
  | "keyed-sha1"
  | "meticulous-keyed-sha1";
