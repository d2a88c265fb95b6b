/**
 * v1 Service, as far as a host announces it: type LoadBalancer, its wishes for addresses, its ports.
 *
 * Upstream's other fields are known by name and ignored, or warned about where ignoring them could surprise. Deprecated
 * annotations were renamed when metadata was read (metadata.ts). Never chooses an address: the plan does.
 */
import * as z from "zod";
import { type Address, type Family, familyOf } from "../address.ts";
import { MAX_PORT, quoted, readAddress, text, textMap, texts, whole } from "./fields.ts";
import { type Manifest, type Path, type Reading, refuseDuplicates, said } from "./reading.ts";
import type { Labels, Typed } from "./resource.ts";
import { warnUnknown } from "./unknown.ts";

export type Service = Typed<"/Service", ServiceSpec>;

export type ServiceSpec = {
  /** Only a LoadBalancer is ever announced; one that became another type gives its addresses back. */
  readonly type: "ClusterIP" | "NodePort" | "LoadBalancer" | "ExternalName";
  /** Empty: none. */
  readonly loadBalancerClass: string;
  /** At most one of each family, in the order written; empty: any. */
  readonly wantedAddresses: readonly Address[];
  readonly wantedPool?: string;
  /** Services with the same key may share an address. */
  readonly sharingKey?: string;
  readonly ipFamilyPolicy: "SingleStack" | "PreferDualStack" | "RequireDualStack";
  /** Primary first. From ipFamilies, or else from clusterIPs; empty: not said. */
  readonly ipFamilies: readonly Family[];
  readonly clusterIPs: readonly Address[];
  readonly externalTrafficPolicy: "Cluster" | "Local";
  readonly ports: readonly ServicePort[];
  readonly selector: Labels;
  /** What another allocator gave it (`status.loadBalancer.ingress[].ip`). */
  readonly assignedAddresses: readonly Address[];
  readonly assignedFromPool?: string;
};

export type ServicePort = {
  /** Empty: none. */
  readonly name: string;
  readonly protocol: "TCP" | "UDP" | "SCTP";
  readonly port: number;
  readonly targetPort: number | string;
};

const writtenPort = z.looseObject({
  name: text.optional(),
  protocol: z.enum(["TCP", "UDP", "SCTP"]).optional(),
  port: whole(1, MAX_PORT),
  targetPort: z
    .union([whole(0, MAX_PORT), text], "must be a port number or a port's name")
    .optional(),
});
export const writtenService = z.looseObject({
  type: z.enum(["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"]).optional(),
  loadBalancerClass: text.optional(),
  loadBalancerIP: text.optional(),
  ipFamilyPolicy: z.enum(["SingleStack", "PreferDualStack", "RequireDualStack"]).optional(),
  ipFamilies: z
    .array(z.enum(["IPv4", "IPv6"]))
    .max(2, "at most two: one of each family")
    .optional(),
  clusterIP: text.optional(),
  clusterIPs: texts.max(2, "at most two: one of each family").optional(),
  externalTrafficPolicy: z.enum(["Cluster", "Local", ""]).optional(),
  ports: z.array(writtenPort).optional(),
  selector: textMap.optional(),
});
type Written = z.infer<typeof writtenService>;

/** Fields of the Kubernetes API that say nothing to a host. */
const IGNORED = [
  "allocateLoadBalancerNodePorts",
  "externalName",
  "healthCheckNodePort",
  "internalTrafficPolicy",
  "ipFamily",
  "publishNotReadyAddresses",
  "sessionAffinity",
  "sessionAffinityConfig",
  "topologyKeys",
  "trafficDistribution",
];
const PORT_IGNORED = ["nodePort", "appProtocol"];
/** Fields whose loss could surprise: said each time. */
const UNENFORCED: Readonly<Record<string, string>> = {
  loadBalancerSourceRanges: "this agent filters no traffic: use the host's firewall",
  externalIPs: "only addresses of pools are announced: use metallb.io/loadBalancerIPs",
};

export function serviceSpec(written: Written, manifest: Manifest, reading: Reading): ServiceSpec {
  warnUnknown(reading, ["spec"], written, writtenService, [...IGNORED, ...Object.keys(UNENFORCED)]);
  warnUnenforced(written, reading);
  const { annotations } = manifest.metadata;
  const pool = annotations["metallb.io/address-pool"];
  const sharingKey = annotations["metallb.io/allow-shared-ip"];
  const from = annotations["metallb.io/ip-allocated-from-pool"];
  return {
    type: written.type ?? "ClusterIP",
    loadBalancerClass: written.loadBalancerClass ?? "",
    wantedAddresses: wantedAddresses(written, annotations, reading),
    ...(said(pool) ? { wantedPool: pool } : {}),
    ...(said(sharingKey) ? { sharingKey } : {}),
    ...familiesOf(written, reading),
    externalTrafficPolicy: written.externalTrafficPolicy === "Local" ? "Local" : "Cluster",
    ports: portsOf(written, reading),
    selector: written.selector ?? {},
    assignedAddresses: assignedAddresses(manifest.body["status"]),
    ...(said(from) ? { assignedFromPool: from } : {}),
  };
}

const writtenStatus = z.object({
  loadBalancer: z.object({ ingress: z.array(z.object({ ip: text.optional() })) }),
});

/** Status is what somebody else wrote: what is not understood in it is no error. */
function assignedAddresses(status: unknown): readonly Address[] {
  const parsed = writtenStatus.safeParse(status);
  if (!parsed.success) return [];
  return parsed.data.loadBalancer.ingress.flatMap(({ ip }) => {
    const address = ip === undefined ? undefined : readAddress(ip);
    return address === undefined ? [] : [address];
  });
}

const ADDRESSES = "metallb.io/loadBalancerIPs";

function wantedAddresses(
  written: Written,
  annotations: Labels,
  reading: Reading,
): readonly Address[] {
  const listed = annotations[ADDRESSES];
  const path: Path = said(listed)
    ? ["metadata", "annotations", ADDRESSES]
    : ["spec", "loadBalancerIP"];
  if (said(listed) && said(written.loadBalancerIP)) {
    reading.refuse(
      ["spec", "loadBalancerIP"],
      "exclusive-fields",
      `loadBalancerIP and the annotation ${ADDRESSES} exclude each other: keep the annotation`,
    );
    return [];
  }
  const lines = said(listed)
    ? listed.split(",")
    : said(written.loadBalancerIP)
      ? [written.loadBalancerIP]
      : [];
  const addresses = lines.flatMap((item) => {
    const address = readAddress(item.trim());
    if (address === undefined)
      reading.refuse(path, "bad-value", `${quoted(item.trim())} is not an IP address`);
    return address === undefined ? [] : [address];
  });
  if (new Set(addresses.map(familyOf)).size !== addresses.length) {
    reading.refuse(path, "family-mismatch", "at most two addresses, one of each family");
  }
  return addresses;
}

function familiesOf(
  written: Written,
  reading: Reading,
): Pick<ServiceSpec, "ipFamilyPolicy" | "ipFamilies" | "clusterIPs"> {
  const named = written.ipFamilies ?? [];
  refuseDuplicates(reading, ["spec", "ipFamilies"], named, (family) => family, "this family");
  const policy = written.ipFamilyPolicy ?? (named.length > 1 ? "RequireDualStack" : "SingleStack");
  if (written.ipFamilyPolicy === "SingleStack" && named.length > 1) {
    reading.refuse(
      ["spec", "ipFamilies"],
      "exclusive-fields",
      "SingleStack takes one family: write PreferDualStack or remove one",
    );
  }
  const clusterIPs = clusterAddresses(written, reading);
  const families = named.map((family): Family => (family === "IPv4" ? "ipv4" : "ipv6"));
  return {
    ipFamilyPolicy: policy,
    ipFamilies: families.length > 0 ? families : clusterIPs.map(familyOf),
    clusterIPs,
  };
}

function clusterAddresses(written: Written, reading: Reading): readonly Address[] {
  const listed = written.clusterIPs ?? [];
  const all = listed.length > 0 ? listed : said(written.clusterIP) ? [written.clusterIP] : [];
  return all.flatMap((item) => {
    if (item === "None" || item === "") return [];
    const address = readAddress(item);
    if (address === undefined)
      reading.refuse(
        ["spec", listed.length > 0 ? "clusterIPs" : "clusterIP"],
        "bad-value",
        `${quoted(item)} is not an IP address`,
      );
    return address === undefined ? [] : [address];
  });
}

function portsOf(written: Written, reading: Reading): readonly ServicePort[] {
  const path = ["spec", "ports"];
  const list = written.ports ?? [];
  if (list.length === 0 && written.type === "LoadBalancer") {
    reading.refuse(path, "required", "a LoadBalancer needs at least one port");
  }
  const ports = list.map((item, i): ServicePort => {
    warnUnknown(reading, [...path, i], item, writtenPort, PORT_IGNORED);
    const target = item.targetPort;
    return {
      name: item.name ?? "",
      protocol: item.protocol ?? "TCP",
      port: item.port,
      targetPort: target === undefined || target === 0 || target === "" ? item.port : target,
    };
  });
  refuseDuplicates(
    reading,
    path,
    ports,
    ({ protocol, port }) => `${protocol}/${port}`,
    "this protocol and port",
  );
  refuseDuplicates(
    reading,
    path,
    ports.filter(({ name }) => name !== ""),
    ({ name }) => name,
    "this port name",
  );
  if (ports.length > 1 && ports.some(({ name }) => name === "")) {
    reading.refuse(path, "required", "where there are several ports each needs a name");
  }
  return ports;
}

function warnUnenforced(written: Written, reading: Reading): void {
  for (const [field, advice] of Object.entries(UNENFORCED)) {
    const value = written[field];
    if (Array.isArray(value) && value.length > 0)
      reading.warn(["spec", field], "ignored", `${field} has no effect: ${advice}`);
  }
}
