/**
 * Reads what BIRD 2 prints: routes and protocols, into the shape that live tests judge.
 *
 * A line it does not know is passed over: BIRD prints more than a test asks for. What a test does judge is never guessed:
 * an attribute that BIRD did not print is absent here.
 * Read next: router.ts.
 */
import { inOrder, type RouterRoute, type SessionView } from "./router.ts";

/** `1007-` or `1008 ` in front of an answer's line, or the blank of a continued one. */
const withoutCode = (line: string): string => line.replace(/^(?:\d{4}[- ]| )/, "");

/** `203.0.113.1/32       unicast [agent 2026-01-01 10:00:00.000000 from fe80::1] * (100) [AS65001i]` */
const HEAD =
  /^(?<prefix>\S+\/\d+)?\s+(?:unicast|unreachable|blackhole|prohibit) \[\S+ [^\]]*?(?:from (?<from>[^\]\s]+))?\] (?<best>\* )?\((?<preference>[^)]*)\)/;

type Draft = {
  readonly prefix: string;
  readonly from: string;
  readonly best: boolean;
  readonly stale: boolean;
  readonly fields: Map<string, string>;
};

const ORIGINS: Readonly<Record<string, RouterRoute["origin"]>> = {
  IGP: "igp",
  EGP: "egp",
  Incomplete: "incomplete",
};

/** `(65001,100) (1, 2, 3)` → `65001:100`, `1:2:3`. */
const communitiesOf = (text: string): string[] =>
  inOrder([...text.matchAll(/\(([^)]*)\)/g)].map(([, one = ""]) => one.split(/,\s*/).join(":")));

function routeOf({ prefix, from, best, stale, fields }: Draft): RouterRoute {
  const field = (name: string) => fields.get(`BGP.${name}`) ?? "";
  const number = (name: string) => (field(name) === "" ? undefined : Number(field(name)));
  const nextHop = field("next_hop").split(" ")[0] ?? "";
  return {
    prefix,
    from: from === "" ? nextHop : from,
    nextHop,
    asPath: (field("as_path").match(/\d+/g) ?? []).map(Number),
    origin: ORIGINS[field("origin")] ?? "incomplete",
    localPref: number("local_pref"),
    med: number("med"),
    communities: communitiesOf(field("community")),
    largeCommunities: communitiesOf(field("large_community")),
    best,
    stale,
  };
}

/** The BGP routes of a `show route … all`; routes of other protocols are left out. */
export function parseRoutes(answer: string): RouterRoute[] {
  const drafts: Draft[] = [];
  let prefix = "";
  for (const coded of answer.split("\n")) {
    const line = withoutCode(coded);
    const head = HEAD.exec(line)?.groups;
    if (head !== undefined) {
      prefix = head["prefix"] ?? prefix;
      drafts.push({
        prefix,
        from: head["from"] ?? "",
        best: head["best"] !== undefined,
        stale: (head["preference"] ?? "").includes("s"),
        fields: new Map(),
      });
      continue;
    }
    const [, name = "", value = ""] = /^\s*([\w.]+): (.*)$/.exec(line) ?? [];
    if (name !== "") drafts.at(-1)?.fields.set(name, value);
  }
  return drafts.filter(({ fields }) => fields.has("BGP.origin")).map(routeOf);
}

/** `BGP state: Established` and its like, by name; the first of a name wins. */
function parseProtocol(answer: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (const coded of answer.split("\n")) {
    const [, name = "", value = ""] = /^\s*([A-Z][\w ]*):\s*(.*)$/.exec(withoutCode(coded)) ?? [];
    if (name !== "" && !fields.has(name)) fields.set(name, value.trim());
  }
  return fields;
}

/** The neighbour's capabilities come after our own and before the line `Session:`. */
const ASKS_TO_KEEP =
  /Neighbor capabilities\n(?:(?!\s*Session:).*\n)*?\s*Graceful restart\n(?:\s*Restart .*\n)*\s*AF supported: \S/;

/** Of the answer about one protocol. BIRD keeps no counters of sessions; its log of states does. */
export function sessionOf(answer: string, log: string, name: string): SessionView {
  const fields = parseProtocol(answer);
  const state = fields.get("BGP state") ?? "unknown";
  const said = (what: string) => log.split(`<TRACE> ${name}: ${what}`).length - 1;
  const timesEstablished = said("BGP session established");
  const established = state === "Established";
  return {
    established,
    state,
    timesEstablished,
    timesLost: timesEstablished - (established ? 1 : 0),
    lastError: fields.get("Last error") ?? "",
    holdTimeSeconds: established ? Number(fields.get("Hold timer")?.split("/")[1]) : undefined,
    asksToKeepRoutes: ASKS_TO_KEEP.test(answer),
  };
}
