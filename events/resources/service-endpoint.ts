/**
 * rutter/v1 ServiceEndpoint: how this host knows that it can serve a Service, where a cluster would count ready pods.
 *
 * Never holds a command: an `exec` check names an entry of `checks:` in the root-owned agent.yaml (design §5).
 * The Service is one of the same namespace. Who runs the checks: agent/health/.
 */
import * as z from "zod";
import type { Address } from "../address.ts";
import { MAX_PORT, text, unicastAt, whole } from "./fields.ts";
import { type Manifest, type Reading, said } from "./reading.ts";
import type { Typed } from "./resource.ts";

export type ServiceEndpoint = Typed<"rutter/ServiceEndpoint", ServiceEndpointSpec>;

export type ServiceEndpointSpec = {
  /** Name of the Service, in the namespace of this resource. */
  readonly service: string;
  readonly check: Check;
  readonly intervalSeconds: number;
  /** At most the interval, so that checks never pile up. */
  readonly timeoutSeconds: number;
  /** Successes in a row after which an unhealthy endpoint is healthy. */
  readonly rise: number;
  /** Failures in a row after which a healthy endpoint is unhealthy. */
  readonly fall: number;
};

export type Check =
  /** Healthy while some process listens on one of the Service's ports, on its address or on all. */
  | { readonly type: "listen" }
  /** Healthy while a connection is accepted; without an address: the Service's own, on this host. */
  | { readonly type: "tcp"; readonly port: number; readonly address?: Address }
  | {
      readonly type: "http";
      readonly scheme: "http" | "https";
      readonly port: number;
      readonly path: string;
      readonly address?: Address;
      /** The Host header; absent: the address. */
      readonly host?: string;
      /** Both included. */
      readonly expectStatus: { readonly from: number; readonly to: number };
    }
  | { readonly type: "exec"; readonly name: string }
  | { readonly type: "always" }
  | { readonly type: "none" };

const port = whole(1, MAX_PORT);
const writtenCheck = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("listen") }),
  z.strictObject({ type: z.literal("tcp"), port, address: text.optional() }),
  z.strictObject({
    type: z.literal("http"),
    scheme: z.enum(["http", "https"]).optional(),
    port,
    path: text.regex(/^\/[\x21-\x7e]*$/, "must start with / and hold no space").optional(),
    address: text.optional(),
    host: text.regex(/^[\x21-\x7e]{1,255}$/, "must be a host name").optional(),
    expectStatus: whole(100, 599).optional(),
  }),
  z.strictObject({
    type: z.literal("exec"),
    name: text.regex(
      /^[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?$/,
      "must be the name of an entry of checks: in agent.yaml; a command is never read from a manifest",
    ),
  }),
  z.strictObject({ type: z.literal("always") }),
  z.strictObject({ type: z.literal("none") }),
]);

/** Below a tenth of a second a check costs more than it tells; above an hour it tells nothing. */
const INTERVAL = { min: 0.1, max: 3600 };
const seconds = (max: number): z.ZodNumber => {
  const error = `must be ${INTERVAL.min} to ${max} seconds`;
  return z.number().min(INTERVAL.min, error).max(max, error);
};

export const writtenServiceEndpoint = z.strictObject({
  service: text.optional(),
  check: writtenCheck.optional(),
  intervalSeconds: seconds(INTERVAL.max).optional(),
  timeoutSeconds: seconds(60).optional(),
  rise: whole(1, 100).optional(),
  fall: whole(1, 100).optional(),
});
type Written = z.infer<typeof writtenServiceEndpoint>;

export function serviceEndpointSpec(
  written: Written,
  manifest: Manifest,
  reading: Reading,
): ServiceEndpointSpec {
  const intervalSeconds = written.intervalSeconds ?? 2;
  const timeoutSeconds = written.timeoutSeconds ?? Math.min(1, intervalSeconds);
  if (timeoutSeconds > intervalSeconds) {
    reading.refuse(
      ["spec", "timeoutSeconds"],
      "out-of-range",
      `a timeout of ${timeoutSeconds} s is longer than the interval of ${intervalSeconds} s`,
    );
  }
  return {
    service: said(written.service) ? written.service : manifest.metadata.name,
    check: checkOf(written.check ?? { type: "listen" }, reading),
    intervalSeconds,
    timeoutSeconds,
    rise: written.rise ?? 2,
    fall: written.fall ?? 3,
  };
}

function checkOf(written: z.infer<typeof writtenCheck>, reading: Reading): Check {
  if (written.type !== "tcp" && written.type !== "http") return written;
  const address = unicastAt(reading, ["spec", "check", "address"], written.address);
  const where = address === undefined ? {} : { address };
  if (written.type === "tcp") return { type: "tcp", port: written.port, ...where };
  const { expectStatus } = written;
  return {
    type: "http",
    scheme: written.scheme ?? "http",
    port: written.port,
    path: written.path ?? "/",
    ...where,
    ...(written.host === undefined ? {} : { host: written.host }),
    expectStatus:
      expectStatus === undefined
        ? { from: 200, to: 399 }
        : { from: expectStatus, to: expectStatus },
  };
}
