/**
 * Source NAT as a program for `nft -j -f -`: one table of our own, replaced whole (libnftables-json(5)).
 *
 * Pure. `add` before `delete` makes the deletion good for a table that is not there; all of it is one transaction, so no packet
 * meets half of it. Reads next: io/nft.ts.
 */
import { type Family, familyOf } from "../../events/address.ts";
import { prefixAddress, prefixFamily, prefixLength } from "../../events/prefix.ts";
import type { SourceNat } from "./intent.ts";

const TABLE = { family: "inet", name: "rutter" } as const;
const CHAIN = "postrouting";
/** Where source NAT belongs (NF_IP_PRI_NAT_SRC). */
const PRIORITY = 100;

const IP: Readonly<Record<"ipv4" | "ipv6", "ip" | "ip6">> = { ipv4: "ip", ipv6: "ip6" };

/** Rules in the order given; none at all: our table goes. */
export function nftProgram(nats: readonly SourceNat[]): string {
  const table = { table: TABLE };
  const chain = {
    chain: {
      family: TABLE.family,
      table: TABLE.name,
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

function ruleOf(nat: SourceNat): readonly object[] {
  const families = [...new Set(nat.sources.map(prefixFamily))];
  return families
    .filter((family) => nat.to === "masquerade" || familyOf(nat.to) === family)
    .map((family) => ruleIn(nat, family));
}

function ruleIn({ name, sources, to, outgoing }: SourceNat, family: Family): object {
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
    ...(outgoing === ""
      ? []
      : [{ match: { op: "==", left: { meta: { key: "oifname" } }, right: outgoing } }]),
    to === "masquerade" ? { masquerade: null } : { snat: { family: IP[family], addr: to } },
  ];
  const rule = { family: TABLE.family, table: TABLE.name, chain: CHAIN, expr, comment: name };
  return { add: { rule } };
}
