/**
 * Hosts that have what the feed's stream has not: the sign of a stream that was lost, or set back to an older copy.
 *
 * Pure. A set that takes a generation which a host has of another history is not applied there (it diverges and keeps what
 * it has), so a publisher asks before it begins. Reads next: io/publisher.ts, ../cli/fleet-hosts.ts (who asks the hosts).
 */
export type HostGeneration = {
  readonly host: string;
  /** Of the newest change set that took its place there. */
  readonly generation: number;
};

/** Hosts named in a message; the rest is counted. */
const NAMED = 5;

/** Of each host its highest word, highest first. */
export function highest(words: readonly HostGeneration[]): readonly HostGeneration[] {
  const byHost = new Map<string, number>();
  for (const { host, generation } of words) {
    byHost.set(host, Math.max(byHost.get(host) ?? 0, generation));
  }
  return [...byHost]
    .map(([host, generation]) => ({ host, generation }))
    .toSorted((a, b) => b.generation - a.generation || (a.host < b.host ? -1 : 1));
}

/** Those above a generation, as text; undefined: there is none. */
export function aheadText(
  words: readonly HostGeneration[],
  generation: number,
): string | undefined {
  const ahead = highest(words).filter((one) => one.generation > generation);
  if (ahead.length === 0) return undefined;
  const named = ahead.slice(0, NAMED).map((one) => `${one.host} has ${one.generation}`);
  const more = ahead.length > NAMED ? ` and ${ahead.length - NAMED} more` : "";
  return `${named.join(", ")}${more}`;
}

/**
 * Why a stream that ends with this generation takes no further set; undefined: nothing is against it.
 *
 * `forbidden`: the server does not let the hosts' words be read, as one with the permissions of an older `fleet auth`; it is
 * believed where there is a history, and not where one would begin. undefined: nobody was asked.
 */
export function aheadRefusal(
  words: readonly HostGeneration[] | "forbidden" | undefined,
  generation: number,
): { readonly rule: "hosts-ahead"; readonly message: string } | undefined {
  const refuse = (what: string) =>
    ({
      rule: "hosts-ahead",
      message: `the stream ends with generation ${generation}, and ${what}`,
    }) as const;
  if (words === "forbidden") {
    return generation > 0
      ? undefined
      : refuse(
          "the server does not let this publisher see what hosts have: give it the permissions of `rutter fleet auth`, or say --despite-hosts",
        );
  }
  const ahead = words && aheadText(words, generation);
  return ahead === undefined
    ? undefined
    : refuse(
        `${ahead}: it was lost or set back, and these hosts would take no set of it. Begin anew above them with \`rutter fleet rebase\`, or say --despite-hosts where they are to keep what they have`,
      );
}
