/**
 * What a live test asks of a router, whichever it is: one description to start it from, one shape for what it says.
 *
 * BIRD and FRR are the witnesses of these tests: what counts is the route in *their* table. So nothing here may be
 * computed from what we sent; every field is read from the router's own answer.
 * Read next: bird.ts and frr.ts (the two that speak so), peers.live.test.ts.
 */

export type Neighbour = {
  /** Letters, digits, underscore; BIRD names its protocol after it. */
  readonly name: string;
  readonly address: string;
  readonly asn: number;
  readonly localAddress?: string;
  /** Port of the neighbour, 179 unless told. */
  readonly port?: number;
  readonly password?: string;
  /** eBGP over more than one hop: the TTL. */
  readonly multihop?: number;
  /** The router never opens the connection itself. */
  readonly passive?: boolean;
  readonly holdTimeSeconds?: number;
  /** Keeps this neighbour's routes over its restart (RFC 4724, receiving side); `false` switches the capability off. */
  readonly gracefulRestart?: boolean;
  /** Address families of the session; both unless told. */
  readonly families?: readonly ("ipv4" | "ipv6")[];
  /** Lines of the router's own language, inside the neighbour's section. */
  readonly raw?: readonly string[];
};

/** What a router puts on its own networks; communities as `65001:100` and `65001:1:2`. */
export type Tag = {
  readonly med?: number;
  readonly communities?: readonly string[];
  readonly largeCommunities?: readonly string[];
};

export type RouterPlan = {
  readonly asn: number;
  /** Dotted quad. */
  readonly routerId: string;
  readonly neighbours: readonly Neighbour[];
  /** Prefixes that this router originates and tells to every neighbour. */
  readonly networks?: readonly string[];
  readonly tag?: Tag;
  /** Its own listening port, 179 unless told. */
  readonly port?: number;
  /** Passes on what it learned, as a transit router does; otherwise only its own networks. */
  readonly transit?: boolean;
  /** Lines of the router's own language, outside any neighbour. */
  readonly raw?: readonly string[];
};

export type RouterRoute = {
  readonly prefix: string;
  /** Address of the neighbour it came from. */
  readonly from: string;
  /** The global next hop, as the router resolved it. */
  readonly nextHop: string;
  readonly asPath: readonly number[];
  readonly origin: "igp" | "egp" | "incomplete";
  readonly localPref: number | undefined;
  readonly med: number | undefined;
  /** `65001:100`, in ascending order; well-known ones as numbers, too. */
  readonly communities: readonly string[];
  readonly largeCommunities: readonly string[];
  readonly best: boolean;
  /** Kept from before a restart and not yet confirmed (RFC 4724 §4.2). */
  readonly stale: boolean;
};

export type SessionView = {
  readonly established: boolean;
  /** The router's own word for the state. */
  readonly state: string;
  /** How often the session came up since the router started. */
  readonly timesEstablished: number;
  /** How often it went down from Established since the router started. */
  readonly timesLost: number;
  /** The router's own words about the last end, empty when there was none. */
  readonly lastError: string;
  /** What both agreed on; undefined where none is up. */
  readonly holdTimeSeconds: number | undefined;
  /** The neighbour asks for its routes to be kept over its restart: the capability, with a family in it (RFC 4724 §3). */
  readonly asksToKeepRoutes: boolean;
};

export type Router = AsyncDisposable & {
  readonly kind: "bird" | "frr";
  readonly pid: number;
  /** Every route learned by BGP, best or not. */
  routes(): Promise<RouterRoute[]>;
  /** The best route for exactly this prefix. */
  route(prefix: string): Promise<RouterRoute | undefined>;
  session(neighbour: string): Promise<SessionView>;
  /** Makes the running router follow another plan, without a restart. */
  reconfigure(plan: RouterPlan): Promise<void>;
  /** A command of the router's own language and its whole answer. */
  ask(command: string): Promise<string>;
  /** The router's log so far. */
  log(): string;
  /** What to print when a test fails: the sessions, the table, the end of the log. */
  explain(): Promise<string>;
  stop(signal?: NodeJS.Signals): Promise<void>;
};

/** What a test says last when it fails: enough of the log to see a refused OPEN, short enough to read. */
const LOG_LINES_SHOWN = 25;

export const lastLines = (text: string): string =>
  text.trimEnd().split("\n").slice(-LOG_LINES_SHOWN).join("\n");

const numbers = (community: string): number[] => community.split(":").map(Number);

/** `1:2 10:3`, whatever order the router printed them in. */
export function inOrder(communities: readonly string[]): string[] {
  return communities.toSorted((a, b) => {
    const [left, right] = [numbers(a), numbers(b)];
    const at = left.findIndex((value, index) => value !== right[index]);
    return at < 0 ? 0 : (left[at] ?? 0) - (right[at] ?? 0);
  });
}
