/**
 * rutter/v1 BFDOptions: what a BFDProfile of the same namespace cannot say: authentication, and that BGP waits for BFD.
 *
 * Never holds a key: that is the entry `password` of a Secret of type kubernetes.io/basic-auth in the same namespace.
 */
import * as z from "zod";
import { flag, text, whole } from "./fields.ts";
import { type Manifest, type Reading, said } from "./reading.ts";
import type { Typed } from "./resource.ts";

export type BfdOptions = Typed<"rutter/BFDOptions", BfdOptionsSpec>;

export type BfdOptionsSpec = {
  /** Name of the BFDProfile. */
  readonly profile: string;
  /** A BGP session of a peer with this profile is opened only while BFD is Up. */
  readonly strictMode: boolean;
  readonly authentication:
    | {
        /** RFC 5880 §4.1 Auth Type. */
        readonly type: (typeof TYPES)[number];
        readonly keyId: number;
        readonly secretName: string;
      }
    | undefined;
};

const TYPES = [
  "simple-password",
  "keyed-md5",
  "meticulous-keyed-md5",
  "keyed-sha1",
  "meticulous-keyed-sha1",
] as const;

export const writtenBfdOptions = z.strictObject({
  profile: text.optional(),
  strictMode: flag.optional(),
  authentication: z
    .strictObject({
      type: z.enum(TYPES),
      /** RFC 5880 §4.2: one octet. */
      keyId: whole(0, 255).optional(),
      secretName: text.min(1, "names a Secret of type kubernetes.io/basic-auth"),
    })
    .optional(),
});

export function bfdOptionsSpec(
  written: z.infer<typeof writtenBfdOptions>,
  { metadata }: Manifest,
  reading: Reading,
): BfdOptionsSpec {
  const { authentication } = written;
  if (authentication?.type === "simple-password") {
    reading.warn(
      ["spec", "authentication", "type"],
      "bad-value",
      "a simple password is sent in clear in every packet: keyed-sha1 and its meticulous form are not",
    );
  }
  return {
    profile: said(written.profile) ? written.profile : metadata.name,
    strictMode: written.strictMode ?? false,
    authentication: authentication && {
      type: authentication.type,
      keyId: authentication.keyId ?? 1,
      secretName: authentication.secretName,
    },
  };
}
