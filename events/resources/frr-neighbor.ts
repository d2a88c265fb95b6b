/**
 * One neighbour of an FRRConfiguration: the session, what it is told (`toAdvertise`), what it may send (`toReceive`).
 *
 * Unlike MetalLB's peer it never derives a missing timer. Prefixes are compared masked, not as text (reference/rules.md §7).
 * Reads next: session.ts (shared with BGPPeer), frr-configuration.ts (who calls this).
 */
import * as z from "zod";
import { type Address, type Family, familyOf } from "../address.ts";
import type { Asn } from "../ids.ts";
import type { Prefix } from "../prefix.ts";
import {
  addressAt,
  flag,
  MAX_PORT,
  MAX_UINT32,
  optionalAsn,
  quoted,
  readAddress,
  text,
  warnUnportablePort,
  whole,
  writtenAsn,
} from "./fields.ts";
import {
  type FrrAdvertise,
  advertiseAt,
  type FrrReceive,
  receiveAt,
  writtenAdvertise,
  writtenReceive,
} from "./frr-policy.ts";
import { type Path, type Reading, said } from "./reading.ts";
import {
  type Authentication,
  authenticationOf,
  BGP_PORT,
  checkPassword,
  connectTimeAt,
  INTERFACE_NAME,
  refuseMixedFamilies,
  type Remote,
  remoteAt,
  type RemoteAs,
  remoteAsAt,
  type SessionTimers,
  timersAt,
  writtenDynamicAsn,
  writtenSecretReference,
} from "./session.ts";

export type FrrNeighbor = {
  readonly remoteAs: RemoteAs;
  readonly remote: Remote;
  readonly source?:
    | { readonly type: "address"; readonly address: Address }
    | { readonly type: "interface"; readonly interface: string };
  readonly authentication: Authentication;
  /** Not said: the backend's default, which is 180 s and 60 s here by tradition. */
  readonly timers: SessionTimers;
  readonly connectTimeSeconds?: number;
  readonly ebgpMultiHop: boolean;
  /** Empty: no BFD. One of the same resource. */
  readonly bfdProfile: string;
  readonly enableGracefulRestart: boolean;
  readonly dualStackAddressFamily: boolean;
  readonly localAsnOverride?: Asn;
  readonly addressFamilies: readonly ("unicast" | "evpn")[];
  readonly toAdvertise: FrrAdvertise;
  readonly toReceive: FrrReceive;
};

/** What a neighbour must fit into. */
export type NeighborPlace = {
  readonly routerAsn: number;
  readonly vrf: string;
  readonly profiles: ReadonlySet<string>;
  /** The router's prefixes and those of VRFs that it imports. */
  readonly advertisable: ReadonlySet<Prefix>;
  readonly namespace: string;
};

export const writtenNeighbor = z.strictObject({
  asn: writtenAsn.optional(),
  dynamicASN: writtenDynamicAsn.optional(),
  sourceaddress: text.optional(),
  address: text.optional(),
  interface: text.optional(),
  port: whole(0, MAX_PORT).optional(),
  password: text.optional(),
  passwordSecret: writtenSecretReference.optional(),
  holdTime: text.optional(),
  keepaliveTime: text.optional(),
  connectTime: text.optional(),
  ebgpMultiHop: flag.optional(),
  bfdProfile: text.optional(),
  enableGracefulRestart: flag.optional(),
  toAdvertise: writtenAdvertise.optional(),
  toReceive: writtenReceive.optional(),
  disableMP: flag.optional(),
  dualStackAddressFamily: flag.optional(),
  localASN: whole(1, MAX_UINT32).optional(),
  addressFamilies: z
    .array(z.enum(["unicast", "evpn"]))
    .max(2, "at most two")
    .optional(),
});
export type WrittenNeighbor = z.infer<typeof writtenNeighbor>;

/** Undefined where it was refused in a way that leaves nothing to hold on to. */
export function neighborAt(
  reading: Reading,
  path: Path,
  written: WrittenNeighbor,
  place: NeighborPlace,
): FrrNeighbor | undefined {
  const remoteAs = remoteAsAt(reading, path, written.asn, written.dynamicASN, "asn");
  warnUnportablePort(reading, [...path, "port"], written.port);
  const { address, interface: link } = written;
  // Zero is in upstream's range and can only mean the usual one.
  const port = written.port === undefined || written.port === 0 ? BGP_PORT : written.port;
  const remote = remoteAt(reading, path, { address, interface: link }, port, "address");
  const source = sourceAt(reading, [...path, "sourceaddress"], written.sourceaddress, remote);
  const { holdTime, keepaliveTime } = written;
  const timers = timersAt(reading, path, { holdTime, keepaliveTime }, "refused");
  const connectTimeSeconds = connectTimeAt(reading, [...path, "connectTime"], written.connectTime);
  checkPassword(reading, path, written.password, written.passwordSecret);
  checkSession(reading, path, written, place);
  const families =
    remote === undefined ? [] : familiesOf(remote, written.dualStackAddressFamily ?? false);
  const toAdvertise = advertiseAt(reading, [...path, "toAdvertise"], written.toAdvertise, {
    families,
    advertisable: place.advertisable,
  });
  const toReceive = receiveAt(reading, [...path, "toReceive"], written.toReceive, families);
  if (remoteAs === undefined || remote === undefined || timers === undefined) return undefined;
  const localAsnOverride = optionalAsn(written.localASN);
  return {
    remoteAs,
    remote,
    ...(source === undefined ? {} : { source }),
    authentication: authenticationOf(
      reading,
      `${place.vrf}/${remote.type === "address" ? remote.address : remote.interface}/password`,
      written.password,
      written.passwordSecret,
      place.namespace,
    ),
    timers,
    ...(connectTimeSeconds === undefined ? {} : { connectTimeSeconds }),
    ebgpMultiHop: written.ebgpMultiHop ?? false,
    bfdProfile: written.bfdProfile ?? "",
    enableGracefulRestart: written.enableGracefulRestart ?? false,
    dualStackAddressFamily: written.dualStackAddressFamily ?? false,
    ...(localAsnOverride === undefined ? {} : { localAsnOverride }),
    addressFamilies: addressFamiliesOf(written),
    toAdvertise,
    toReceive,
  };
}

function addressFamiliesOf(written: WrittenNeighbor): FrrNeighbor["addressFamilies"] {
  const named = [...new Set(written.addressFamilies)].toSorted();
  return named.length > 0 ? named : ["unicast"];
}

/** A peer gets its own transport's family; both where the session says so or has no address (rules §2.2, 8). */
function familiesOf(remote: Remote, dualStack: boolean): readonly Family[] {
  return remote.type === "interface" || dualStack ? ["ipv4", "ipv6"] : [familyOf(remote.address)];
}

function checkSession(
  reading: Reading,
  path: Path,
  written: WrittenNeighbor,
  place: NeighborPlace,
): void {
  if (written.localASN !== undefined && written.asn === place.routerAsn) {
    reading.refuse(
      [...path, "localASN"],
      "exclusive-fields",
      "localASN is for external neighbours, and asn equals the router's: remove it",
    );
  }
  if (said(written.bfdProfile) && !place.profiles.has(written.bfdProfile)) {
    reading.refuse(
      [...path, "bfdProfile"],
      "required",
      `${quoted(written.bfdProfile)} is not among bfdProfiles of this resource: add it there`,
    );
  }
  if (written.disableMP === true) {
    reading.warn(
      [...path, "disableMP"],
      "ignored",
      "disableMP has no effect: one family per session is the default; remove it",
    );
  }
}

function sourceAt(
  reading: Reading,
  path: Path,
  written: string | undefined,
  remote: Remote | undefined,
): FrrNeighbor["source"] {
  if (!said(written)) return undefined;
  if (
    readAddress(written) === undefined &&
    INTERFACE_NAME.test(written) &&
    !/^[\d.]+$/.test(written)
  ) {
    return { type: "interface", interface: written };
  }
  const address = addressAt(reading, path, written);
  refuseMixedFamilies(reading, path, remote, address);
  return address === undefined ? undefined : { type: "address", address };
}
