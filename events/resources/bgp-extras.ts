/**
 * v1 ConfigMap `bgpextras`: raw FRR lines that MetalLB appends to its rendered configuration.
 *
 * Only the frr backend can use it. Any other ConfigMap says nothing to a host (kinds.ts). Never parses the lines.
 */
import * as z from "zod";
import { text } from "./fields.ts";
import { type RawText, sealRaw } from "./raw.ts";
import type { Reading } from "./reading.ts";
import type { Typed } from "./resource.ts";
import { warnUnknown } from "./unknown.ts";

export type BgpExtras = Typed<"/ConfigMap", BgpExtrasSpec>;
export type BgpExtrasSpec = { readonly extras: RawText };

/** The name that makes a ConfigMap one of ours. */
export const BGP_EXTRAS = "bgpextras";

const writtenData = z.looseObject({ extras: text });
/** A ConfigMap has no `spec`: this is the manifest itself. */
export const writtenBgpExtras = z.looseObject({ data: writtenData });
const IGNORED = ["apiVersion", "kind", "metadata", "immutable", "binaryData"];

export function bgpExtrasSpec(
  written: z.infer<typeof writtenBgpExtras>,
  reading: Reading,
): BgpExtrasSpec {
  warnUnknown(reading, [], written, writtenBgpExtras, IGNORED);
  warnUnknown(reading, ["data"], written.data, writtenData);
  return { extras: sealRaw(written.data.extras, "extras", reading) };
}
