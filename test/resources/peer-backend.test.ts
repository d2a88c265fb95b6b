/**
 * rutter/v1 PeerBackend, as it is read.
 */
import { expect, test } from "vitest";
import { manifest, refusals, specOf, type Written } from "./parsing.ts";

const given = (spec: Written) => manifest("rutter/v1", "PeerBackend", spec);

test("names peers of the default VRF on every host unless told, each once and in order", () => {
  expect(
    specOf("rutter/PeerBackend", given({ backend: "native", peers: ["b", "a", "b"] })),
  ).toEqual({
    nodeSelectors: [],
    vrf: "",
    peers: ["a", "b"],
    peerSelectors: [],
    backend: "native",
  });
});

test("a speaker that there is has to be named, and a VRF is a device", () => {
  expect(refusals(given({ peers: ["a"] }))).toEqual(["spec.backend required"]);
  expect(refusals(given({ backend: "quagga" }))).toEqual(["spec.backend not-allowed"]);
  expect(refusals(given({ backend: "frr", vrf: "no device" }))).toEqual(["spec.vrf bad-value"]);
  expect(refusals(given({ backend: "frr", peer: "a" }))).toEqual(["spec.peer unknown-field"]);
});
