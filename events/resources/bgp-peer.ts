/**
 * metallb.io BGPPeer, v1beta2 and v1beta1, read into one canonical spec.
 *
 * Where a user said nothing about a timer, nothing is put in its place: the default differs by backend and the plan pins it
 * (native: hold 90 s, connect 120 s). Only the missing one of hold and keepalive time is derived from the other, as
 * upstream does. Rules that need other resources (does the BFD profile exist?) are the plan's.
 */
import * as z from "zod";
import type { Address } from "../address.ts";
import { type Asn, asn } from "../ids.ts";
import { durationSeconds } from "./duration.ts";
import {
  flag,
  MAX_PORT,
  MAX_UINT32,
  optionalAsn,
  routerIdAt,
  text,
  unicastAt,
  warnUnportablePort,
  whole,
  writtenAsn,
} from "./fields.ts";
import { type Manifest, type Reading, said } from "./reading.ts";
import type { LabelSelector, Typed } from "./resource.ts";
import { selectorsAt, writtenSelector } from "./selectors.ts";
import {
  type Authentication,
  authenticationOf,
  BGP_PORT,
  checkPassword,
  connectTimeAt,
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

export type BgpPeer = Typed<"metallb.io/BGPPeer", BgpPeerSpec>;

export type BgpPeerSpec = {
  readonly localAsn: Asn;
  /** Shown to this peer in place of localAsn (`localASN`). */
  readonly localAsnOverride?: Asn;
  readonly remoteAs: RemoteAs;
  readonly remote: Remote;
  readonly sourceAddress?: Address;
  readonly timers: SessionTimers;
  /** 1–65535; absent: the backend's default. */
  readonly connectTimeSeconds?: number;
  /** Always in IPv4 form; absent: the backend chooses. */
  readonly routerId?: Address;
  /** Alternatives; none: every node. */
  readonly nodeSelectors: readonly LabelSelector[];
  readonly authentication: Authentication;
  /** Empty: no BFD. */
  readonly bfdProfile: string;
  /** Cannot change after creation upstream; whoever compares with the stored resource says so. */
  readonly enableGracefulRestart: boolean;
  readonly ebgpMultiHop: boolean;
  /** Linux VRF device; empty: the default one. */
  readonly vrf: string;
  /** Both address families on this session, whatever its transport. */
  readonly dualStackAddressFamily: boolean;
};

const common = {
  myASN: writtenAsn,
  peerASN: writtenAsn.optional(),
  peerAddress: text.optional(),
  sourceAddress: text.optional(),
  holdTime: text.optional(),
  keepaliveTime: text.optional(),
  routerID: text.optional(),
  password: text.optional(),
  bfdProfile: text.optional(),
  ebgpMultiHop: flag.optional(),
};
export const bgpPeerV1beta2 = z.strictObject({
  ...common,
  localASN: whole(1, MAX_UINT32).optional(),
  dynamicASN: writtenDynamicAsn.optional(),
  interface: text.optional(),
  peerPort: whole(1, MAX_PORT).optional(),
  connectTime: text.optional(),
  nodeSelectors: z.array(writtenSelector).optional(),
  passwordSecret: writtenSecretReference.optional(),
  enableGracefulRestart: flag.optional(),
  vrf: text.optional(),
  disableMP: flag.optional(),
  dualStackAddressFamily: flag.optional(),
});
/** The older version knows fewer fields, and its expressions always have values. */
export const bgpPeerV1beta1 = z.strictObject({
  ...common,
  peerPort: whole(0, MAX_PORT).optional(),
  nodeSelectors: z
    .array(
      writtenSelector.extend({
        matchExpressions: z
          .array(
            z.strictObject({
              key: text,
              operator: z.enum(["In", "NotIn", "Exists", "DoesNotExist"]),
              values: z
                .array(text)
                .min(1, "needs at least one value in v1beta1: write apiVersion metallb.io/v1beta2"),
            }),
          )
          .optional(),
      }),
    )
    .optional(),
});
type Written = z.infer<typeof bgpPeerV1beta2>;
export type WrittenV1beta1 = z.infer<typeof bgpPeerV1beta1>;

/** v1beta1 says "not set" with zero where v1beta2 leaves the field out. */
export function upgradeBgpPeer(old: WrittenV1beta1): Written {
  const { peerPort, holdTime, keepaliveTime, ...rest } = old;
  return {
    ...rest,
    ...(peerPort ? { peerPort } : {}),
    ...(isZero(holdTime) ? {} : { holdTime }),
    ...(isZero(keepaliveTime) ? {} : { keepaliveTime }),
  };
}

const isZero = (written: string | undefined): boolean =>
  !said(written) || durationSeconds(written) === 0;

/** Undefined where the reading has refusals. */
export function bgpPeerSpec(
  written: Written,
  manifest: Manifest,
  reading: Reading,
): BgpPeerSpec | undefined {
  if (written.myASN === 0)
    reading.refuse(
      ["spec", "myASN"],
      "out-of-range",
      "0 is no AS number (RFC 7607): write this host's AS",
    );
  const remoteAs = remoteAsAt(reading, ["spec"], written.peerASN, written.dynamicASN, "peerASN");
  const remote = remoteOf(written, reading);
  const sourceAddress = unicastAt(reading, ["spec", "sourceAddress"], written.sourceAddress);
  refuseMixedFamilies(reading, ["spec", "sourceAddress"], remote, sourceAddress);
  const timers = timersAt(
    reading,
    ["spec"],
    { holdTime: written.holdTime, keepaliveTime: written.keepaliveTime },
    "derived",
  );
  const connectTimeSeconds = connectTimeAt(reading, ["spec", "connectTime"], written.connectTime);
  const routerId = routerIdAt(reading, ["spec", "routerID"], written.routerID);
  const nodeSelectors = selectorsAt(reading, ["spec", "nodeSelectors"], written.nodeSelectors);
  refuseInternalMultihop(written, reading);
  if (written.disableMP === true) {
    reading.warn(
      ["spec", "disableMP"],
      "ignored",
      "disableMP has no effect: one family per session is the default; remove it",
    );
  }
  checkPassword(reading, ["spec"], written.password, written.passwordSecret);
  if (
    reading.refusals.length > 0 ||
    remoteAs === undefined ||
    remote === undefined ||
    timers === undefined
  )
    return undefined;
  const localAsnOverride = optionalAsn(written.localASN);
  return {
    localAsn: asn(written.myASN),
    ...(localAsnOverride === undefined ? {} : { localAsnOverride }),
    remoteAs,
    remote,
    ...(sourceAddress === undefined ? {} : { sourceAddress }),
    timers,
    ...(connectTimeSeconds === undefined ? {} : { connectTimeSeconds }),
    ...(routerId === undefined ? {} : { routerId }),
    nodeSelectors,
    authentication: authenticationOf(
      reading,
      "password",
      written.password,
      written.passwordSecret,
      manifest.metadata.namespace,
    ),
    bfdProfile: written.bfdProfile ?? "",
    enableGracefulRestart: written.enableGracefulRestart ?? false,
    ebgpMultiHop: written.ebgpMultiHop ?? false,
    vrf: written.vrf ?? "",
    dualStackAddressFamily: written.dualStackAddressFamily ?? false,
  };
}

function remoteOf(written: Written, reading: Reading): Remote | undefined {
  const port = written.peerPort ?? BGP_PORT;
  warnUnportablePort(reading, ["spec", "peerPort"], written.peerPort);
  const { peerAddress: address, interface: link } = written;
  return remoteAt(reading, ["spec"], { address, interface: link }, port, "peerAddress");
}

/** RFC 4271 §5.1: multihop is a matter of external sessions only. */
function refuseInternalMultihop(written: Written, reading: Reading): void {
  if (written.ebgpMultiHop !== true || written.peerASN !== written.myASN || written.myASN === 0)
    return;
  reading.refuse(
    ["spec", "ebgpMultiHop"],
    "exclusive-fields",
    "ebgpMultiHop is for external peers, and peerASN equals myASN: remove it",
  );
}
