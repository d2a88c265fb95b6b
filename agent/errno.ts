/**
 * The code of an error of the world (`ENOENT`), for those who must tell one from another.
 *
 * Our own faults have no code: who gets the empty text back throws the error on.
 */

/** Empty where it has none. */
export function errorCode(error: unknown): string {
  if (!(error instanceof Error) || !("code" in error)) return "";
  return typeof error.code === "string" ? error.code : "";
}
