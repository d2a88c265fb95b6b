/**
 * Source NAT as a program for `nft -j -f -`: one table of our own, replaced whole (libnftables-json(5)).
 *
 * Pure. `add` before `delete` makes the deletion good for a table that is not there; all of it is one transaction, so no packet
 * meets half of it. Reads next: io/nft.ts.
 */
import { type Family, familyOf } from "../../events/address.ts";
import { prefixAddress, prefixFamily, prefixLength } from "../../events/prefix.ts";
import { type Host, linkNamed } from "./host.ts";
import type { SourceNat } from "./intent.ts";

export const NFT_TABLE = { family: "inet", name: "rutter" } as const;
const CHAIN = "postrouting";
/** Where source NAT belongs (NF_IP_PRI_NAT_SRC). */
const PRIORITY = 100;

const IP: Readonly<Record<"ipv4" | "ipv6", "ip" | "ip6">> = { ipv4: "ip", ipv6: "ip6" };

/** With the devices that it leaves by, by name; empty: any but the loopback, by which nothing leaves. */
export type PlacedNat = Pick<SourceNat, "name" | "sources" | "to"> & {
  readonly outgoing: readonly string[];
};

/**
 * In order of name. Netfilter sees what leaves a VRF at the VRF's ports: at the VRF's own device it is not tracked (Linux 5.16,
 * vrf.c vrf_nf_set_untracked) or, forwarded, not seen at all.
 */
export const placedNats = (host: Host, nats: Iterable<SourceNat>): readonly PlacedNat[] =>
  [...nats]
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, sources, to, outgoing }) => ({
      name,
      sources,
      to,
      outgoing: outgoing === "" ? [] : portsOf(host, outgoing),
    }));

/** Of a VRF; any other device, or one that is not there, stands for itself. */
function portsOf(host: Host, device: string): readonly string[] {
  const link = linkNamed(host, device);
  if (link?.vrfTable === undefined) return [device];
  const ports = [...host.links.values()].filter(({ master }) => master === link.index);
  return ports.length === 0 ? [device] : ports.map(({ name }) => name).toSorted();
}

/** Rules in the order given; none at all: our table goes. */
export function nftProgram(nats: readonly PlacedNat[]): string {
  const table = { table: NFT_TABLE };
  const chain = {
    chain: {
      family: NFT_TABLE.family,
      table: NFT_TABLE.name,
      name: CHAIN,
      type: "nat",
      hook: "postrouting",
      prio: PRIORITY,
      policy: "accept",
    },
  };
  const rules = nats.flatMap(ruleOf);
  const makes = rules.length === 0 ? [] : [{ add: table }, { add: chain }, ...rules];
  return JSON.stringify({ nftables: [{ add: table }, { delete: table }, ...makes] });
}

function ruleOf(nat: PlacedNat): readonly object[] {
  const families = [...new Set(nat.sources.map(prefixFamily))];
  return families
    .filter((family) => nat.to === "masquerade" || familyOf(nat.to) === family)
    .map((family) => ruleIn(nat, family));
}

function ruleIn({ name, sources, to, outgoing }: PlacedNat, family: Family): object {
  const own = sources.filter((source) => prefixFamily(source) === family);
  const set = own.map((source) => ({
    prefix: { addr: prefixAddress(source), len: prefixLength(source) },
  }));
  const expr = [
    {
      match: {
        op: "==",
        left: { payload: { protocol: IP[family], field: "saddr" } },
        right: { set },
      },
    },
    { match: { ...leaving(outgoing), left: { meta: { key: "oifname" } } } },
    to === "masquerade" ? { masquerade: null } : { snat: { family: IP[family], addr: to } },
  ];
  const rule = {
    family: NFT_TABLE.family,
    table: NFT_TABLE.name,
    chain: CHAIN,
    expr,
    comment: name,
  };
  return { add: { rule } };
}

const leaving = (devices: readonly string[]): { readonly op: string; readonly right: unknown } =>
  devices.length === 0
    ? { op: "!=", right: "lo" }
    : { op: "==", right: devices.length === 1 ? devices[0] : { set: devices } };
