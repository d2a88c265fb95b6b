/**
 * The JSON contract of design §8, and its description: keys as they are promised, and one source for both.
 */
import { describe, expect, test } from "vitest";
import type { z } from "zod";
import { BfdJson } from "../../agent/api/bfd-json.ts";
import * as contract from "../../agent/api/contract.ts";
import { endpoints } from "../../agent/api/endpoints.ts";
import { kindNamed } from "../../agent/api/kind-names.ts";
import { openApiDocument } from "../../agent/api/openapi.ts";
import { formatTime, parseTime } from "../../agent/api/time.ts";
import { kinds } from "../../events/resources/kinds.ts";
import { parsed } from "./serve.ts";
import * as samples from "./fake-core.ts";

/** Design §8, the table of JSON, word for word. */
const promised: readonly (readonly [string, z.ZodObject, string])[] = [
  [
    "status",
    contract.StatusJson,
    "node, backend, state, logSeq, peers, bfd, services, quarantined, notRecording",
  ],
  [
    "peers",
    contract.PeerJson,
    "name, address, interface, vrf, localAs, remoteAs, state, since, reason, holdTime, keepaliveTime, capabilities, bfd, sent, received, accepted, resets, provenance",
  ],
  [
    "routes",
    contract.RouteJson,
    "prefix, peer, vrf, pathId, nextHop, asPath, origin, localPref, med, communities, largeCommunities, accepted, best, reason, age, provenance, raw",
  ],
  [
    "bfd",
    BfdJson,
    "peer, localAddress, multihop, state, diagnostic, localDiscriminator, remoteDiscriminator, transmitInterval, receiveInterval, detectMultiplier, detectionTime, since, transitions",
  ],
  ["plan", contract.PlanJson, "peers, resets, quarantined, notCarried, warnings"],
  ["why", contract.WhyJson, "prefix, peer, announced, chain"],
];

describe("the contract", () => {
  test.each(promised)("%s has every key that is promised", (_name, schema, keys) => {
    expect(Object.keys(schema.shape)).toEqual(expect.arrayContaining(keys.split(", ")));
  });

  test.each([
    ["status", contract.StatusJson, samples.status],
    ["route", contract.RouteJson, samples.route(1)],
    ["apply", contract.ApplyAnswer, samples.refused],
    ["get", contract.ResourceJson, samples.resource],
    ["why", contract.WhyJson, samples.why],
    ["log", contract.EnvelopeJson, samples.fact(1)],
  ])("%s: its schema takes a sample, and not one that lacks a key", (_name, schema, sample) => {
    expect(schema.parse(sample)).toEqual(sample);
    const [first = ""] = Object.keys(sample);
    expect(schema.safeParse({ ...sample, [first]: undefined }).success).toBe(false);
  });
});

describe("the OpenAPI description", () => {
  // As a client reads it.
  const document = parsed<{
    openapi: string;
    paths: Record<string, Record<string, { operationId: string; requestBody?: unknown }>>;
    components: { schemas: Record<string, unknown> };
  }>(JSON.stringify(openApiDocument("1.0.0")));

  test("has every endpoint, with its parameters in its path", () => {
    expect(document.openapi).toMatch(/^3\.1\./);
    for (const { method, url, body } of endpoints) {
      const operation = document.paths[url]?.[method.toLowerCase()];
      expect(operation).toBeDefined();
      expect(operation?.requestBody === undefined).toBe(body === undefined);
    }
  });

  test("refers only to what it has, and names each operation once", () => {
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(
      ([, target = ""]) => target,
    );
    expect(references.length).toBeGreaterThan(10);
    for (const target of references) {
      const name = target.replace("#/components/schemas/", "");
      expect(Object.keys(document.components.schemas)).toContain(name);
    }
    const ids = Object.values(document.paths).flatMap((path) =>
      Object.values(path).map(({ operationId }) => operationId),
    );
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("forbids no field that a later version adds to an answer", () => {
    expect(JSON.stringify(document.components)).not.toContain('"additionalProperties":false');
  });

  test("has no GET that changes anything", () => {
    const writing = endpoints.filter(({ access }) => access === "write");
    expect(new Set(writing.map(({ method }) => method))).toEqual(new Set(["POST"]));
  });
});

describe("kinds", () => {
  test.each([
    ["BGPPeer.metallb.io", ["metallb.io/BGPPeer"]],
    ["bgppeers", ["metallb.io/BGPPeer", "networking.gke.io/BGPPeer"]],
    ["svc", ["/Service"]],
    ["communities", ["metallb.io/Community"]],
    ["AnthosNetworkGateway", ["networking.gke.io/NetworkGatewayGroup"]],
  ])("%s is understood", (text, types) => {
    expect(kindNamed(text).types).toEqual(types);
  });

  test("`all` means every kind, and what is none is answered with those there are", () => {
    expect(kindNamed("all").types).toHaveLength(kinds.length);
    expect(() => kindNamed("toString")).toThrow(/bgppeers/);
  });
});

describe("times", () => {
  test("keep their nanoseconds both ways", () => {
    const wall = 1_769_853_600_123_456_789n;
    expect(formatTime(wall)).toBe("2026-01-31T10:00:00.123456789Z");
    expect(parseTime(formatTime(wall))).toBe(wall);
    expect(parseTime("2026-01-31T12:00+02:00")).toBe(1_769_853_600_000_000_000n);
  });

  test.each(["yesterday", "2026-13-01", "2026-01-31T25:00Z", "12"])("%s is none", (text) => {
    expect(parseTime(text)).toBeUndefined();
  });
});
