/**
 * Export rules: which prefixes of this host's kernel each rule takes now, and what of that is new since it was last told.
 *
 * Pure. It looks only at what changed where it can, and at nothing while the tables are being read: a table half read looks
 * like routes withdrawn. Reads next: host.ts, intent.ts (ExportRule).
 */
import { bitsOf, type Family } from "../../events/address.ts";
import { type Prefix, prefix, prefixFamily, prefixOf } from "../../events/prefix.ts";
import { isTaken, lengthAt, slotsOf, wordAt } from "../native/rib/prefix-table.ts";
import type { ExportedFact } from "./facts.ts";
import { foreignAt, foreignIn, type Host, tableOfVrf, type Target, type Words } from "./host.ts";
import { holds, inSpans, prefixWords, type Span, spansOf } from "./imports.ts";
import type { ExportRule } from "./intent.ts";
import { type Model, prefixText } from "./model.ts";
import type { BoundAddress, Link } from "./netlink/entries.ts";
import { PROTOCOL, RTN_UNICAST } from "./netlink/numbers.ts";

export type Exporter = {
  setRules(rules: readonly ExportRule[]): void;
  /** Tells what differs; `everything`: not only routes may have changed, but links and addresses. */
  look(everything: boolean): void;
  /** What these rules would take, told to nobody; nothing while the tables are being read. */
  offers(rules: readonly ExportRule[]): readonly ExportedFact[];
  /** Of each rule: prefixes that are told, and such as are too many. */
  counts(): readonly ExportCount[];
};

export type ExportCount = {
  readonly rule: ExportRule;
  readonly told: number;
  readonly beyond: number;
  readonly example: Prefix | undefined;
};

type Compiled = {
  readonly rule: ExportRule;
  /** Rule and provenance: a rule that was deleted and made anew must be told whole. */
  readonly text: string;
  readonly spans: readonly Span[];
  /** undefined: nothing was told yet. */
  told: Set<Prefix> | undefined;
  readonly beyond: Set<Prefix>;
};

/**
 * Of rtnetlink.h: gated, mrt, zebra, bird, dnrouted, xorp, ntk, babel, openr, bgp, isis, ospf, rip, eigrp. What they have learned
 * elsewhere is told on only where a rule names them.
 */
const ROUTING_DAEMONS: ReadonlySet<number> = new Set([
  8, 10, 11, 12, 13, 14, 15, 42, 99, 186, 187, 188, 189, 192,
]);
/** Addresses that mean nothing to another host (RFC 6890 §2.2.2): this host, loopback, link-local, multicast, reserved. */
const NEVER: Readonly<Record<Family, readonly Words[]>> = {
  ipv4: ["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4"].map(words),
  ipv6: ["::/128", "::1/128", "::ffff:0:0/96", "fe80::/10", "ff00::/8"].map(words),
};
const FAMILIES: readonly Family[] = ["ipv4", "ipv6"];

export function createExporter(model: Model, tell: (fact: ExportedFact) => void): Exporter {
  const { host } = model;
  let compiled: readonly Compiled[] = [];

  /** What is told stays while it is offered, however many there are. */
  const allOf = (one: Compiled): ExportedFact => {
    const { rule, beyond } = one;
    const now = routesOrAddresses(host, one, model.isOurs);
    const told = now.intersection(one.told ?? new Set<Prefix>());
    beyond.clear();
    for (const each of now) {
      if (told.has(each)) continue;
      if (told.size < rule.maximum) told.add(each);
      else beyond.add(each);
    }
    one.told = told;
    return { type: "exported", rule: rule.rule, whole: true, added: [...told], removed: [] };
  };
  const lookAtAll = (one: Compiled): void => tell(allOf(one));

  const lookAtRoutes = (one: Compiled): void => {
    const { told } = one;
    const table = tableOf(host, one.rule);
    if (told === undefined || table === undefined) return;
    const added: Prefix[] = [];
    const removed: Prefix[] = [];
    for (const changed of host.changed.routes.values()) {
      if (changed.table !== table) continue;
      const { family, words: at } = changed;
      const text = prefixText(family, at);
      const targets = foreignAt(host, family, table, at);
      const takes =
        takesPrefix(one, family, at) && targets.some((each) => takesTarget(host, one.rule, each));
      if (takes === told.has(text)) {
        if (!takes) one.beyond.delete(text);
      } else if (!takes) {
        told.delete(text);
        removed.push(text);
      } else if (told.size >= one.rule.maximum) one.beyond.add(text);
      else {
        told.add(text);
        added.push(text);
      }
    }
    // There is room again: who comes in is for a whole look.
    if (one.beyond.size > 0 && told.size < one.rule.maximum) {
      lookAtAll(one);
    } else if (added.length + removed.length > 0) {
      tell({ type: "exported", rule: one.rule.rule, whole: false, added, removed });
    }
  };

  const look = (everything: boolean): void => {
    host.changed.everything ||= everything;
    if (!model.isWhole()) return;
    for (const one of compiled) {
      if (one.told === undefined || host.changed.everything) lookAtAll(one);
      else if (one.rule.from.type === "kernel-routes") lookAtRoutes(one);
    }
    host.changed.everything = false;
    host.changed.routes.clear();
  };

  return {
    look,
    setRules(rules) {
      const before = new Map(compiled.map((one) => [one.text, one]));
      const wanted = new Set(rules.map(({ rule }) => rule));
      const gone = compiled.filter(({ rule }) => !wanted.has(rule.rule));
      compiled = rules.map((rule): Compiled => {
        const fresh = compile(rule);
        return before.get(fresh.text) ?? fresh;
      });
      for (const { rule } of gone) {
        tell({ type: "exported", rule: rule.rule, whole: true, added: [], removed: [] });
      }
      look(false);
    },
    offers: (rules) => (model.isWhole() ? rules.map((rule) => allOf(compile(rule))) : []),
    counts: () =>
      compiled.map(({ rule, told, beyond }) => ({
        rule,
        told: told?.size ?? 0,
        beyond: beyond.size,
        example: beyond.values().next().value,
      })),
  };
}

const compile = (rule: ExportRule): Compiled => ({
  rule,
  text: JSON.stringify(rule),
  spans: spansOf(rule.prefixes),
  told: undefined,
  beyond: new Set(),
});

function words(text: string): Words {
  return prefixWords(prefix(text));
}

const tableOf = (host: Host, { from, vrf }: ExportRule): number | undefined =>
  from.type === "kernel-routes" && from.table !== undefined ? from.table : tableOfVrf(host, vrf);

function takesPrefix({ rule, spans }: Compiled, family: Family, at: Words): boolean {
  if (at[0] === 0) return rule.exportDefault && inSpans(spans, family, at);
  return !NEVER[family].some((range) => holds(range, at)) && inSpans(spans, family, at);
}

function takesTarget(host: Host, { from }: ExportRule, { type, protocol, hops }: Target): boolean {
  // They are in none of the host's tables; but what was learned must not go out again if ever one is.
  if (from.type !== "kernel-routes" || protocol === PROTOCOL) return false;
  const isNamed = from.protocols.includes(protocol);
  if (from.protocols.length > 0 ? !isNamed : ROUTING_DAEMONS.has(protocol)) return false;
  if (type !== RTN_UNICAST) return isNamed && from.interfaces.length === 0;
  const links = hops.flatMap(({ device }) => host.links.get(device) ?? []);
  if (from.interfaces.length > 0 && !links.some(({ name }) => from.interfaces.includes(name))) {
    return false;
  }
  // The kernel keeps a route over a link without carrier, and drops what is sent there.
  return hops.length === 0 || links.some(({ up }) => up);
}

const routesOrAddresses = (host: Host, one: Compiled, isOurs: Model["isOurs"]): Set<Prefix> =>
  one.rule.from.type === "kernel-routes" ? routesOf(host, one) : addressesOf(host, one, isOurs);

function routesOf(host: Host, one: Compiled): Set<Prefix> {
  const found = new Set<Prefix>();
  const table = tableOf(host, one.rule);
  if (table === undefined) return found;
  for (const family of FAMILIES) {
    const prefixes = foreignIn(host, family, table);
    if (prefixes === undefined) continue;
    // Equal lists of targets are one, so each is judged once.
    const judged = new Map<number, boolean>();
    for (let slot = 0; slot < slotsOf(prefixes); slot += 1) {
      if (!isTaken(prefixes, slot)) continue;
      const number = prefixes.values[slot] ?? 0;
      let takes = judged.get(number);
      if (takes === undefined) {
        takes = (host.lists[number] ?? []).some((each) => takesTarget(host, one.rule, each));
        judged.set(number, takes);
      }
      if (!takes) continue;
      const [a = 0, b = 0, c = 0, d = 0] = [0, 1, 2, 3].map((word) => wordAt(prefixes, slot, word));
      const at: Words = [lengthAt(prefixes, slot), a, b, c, d];
      if (takesPrefix(one, family, at)) found.add(prefixText(family, at));
    }
  }
  return found;
}

function addressesOf(host: Host, one: Compiled, isOurs: Model["isOurs"]): Set<Prefix> {
  const found = new Set<Prefix>();
  const { from, vrf } = one.rule;
  for (const bound of host.addresses.values()) {
    const link = host.links.get(bound.device);
    if (link === undefined || !link.up || bound.duplicate || !isInVrf(host, link, vrf)) continue;
    if (from.interfaces.length > 0 && !from.interfaces.includes(link.name)) continue;
    // A virtual IP is told by its Service, and only while that is healthy.
    if (isOurs(bound.address, link.name, bound.protocol)) continue;
    const text = offered(bound, from.type);
    if (takesPrefix(one, prefixFamily(text), prefixWords(text))) found.add(text);
  }
  return found;
}

const offered = ({ address, length }: BoundAddress, type: ExportRule["from"]["type"]): Prefix =>
  prefixOf(
    address,
    type === "connected" ? length : bitsOf(address.includes(":") ? "ipv6" : "ipv4"),
  );

/** By the VRF device itself, or by what is in it. */
function isInVrf(host: Host, link: Link, vrf: string): boolean {
  const master = link.vrfTable === undefined ? host.links.get(link.master) : link;
  return vrf === "" ? master?.vrfTable === undefined : master?.name === vrf;
}
