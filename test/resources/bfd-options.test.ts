/**
 * rutter/v1 BFDOptions, as it is read.
 */
import { expect, test } from "vitest";
import { manifest, refusals, specOf, type Written } from "./parsing.ts";

test("BFDOptions go with the BFDProfile of their own name, and change nothing unless told", () => {
  const options = (spec: Written) => manifest("rutter/v1", "BFDOptions", spec);
  expect(specOf("rutter/BFDOptions", options({}))).toEqual({
    profile: "it",
    strictMode: false,
    authentication: undefined,
  });
  const keyed = { type: "meticulous-keyed-sha1", secretName: "k" };
  expect(specOf("rutter/BFDOptions", options({ authentication: keyed })).authentication).toEqual({
    ...keyed,
    keyId: 1,
  });
  expect(refusals(options({ authentication: { type: "md5", secretName: "k" } }))).toEqual([
    "spec.authentication.type not-allowed",
  ]);
  expect(refusals(options({ authentication: { ...keyed, keyId: 256 } }))).toEqual([
    "spec.authentication.keyId out-of-range",
  ]);
  expect(refusals(options({ authentication: { type: "keyed-md5" } }))).toEqual([
    "spec.authentication.secretName required",
  ]);
});
