/** Intents and what they are rendered to, for tests of the GoBGP backend's pure part; everything not said is ordinary. */
import type { Export, NeighborIntent, SpeakerIntent } from "../../backends/intent.ts";
import { DIALECTS } from "../../backends/gobgp/api/messages.ts";
import {
  bookOf,
  type ClassBook,
  emptyBook,
  routeClasses,
} from "../../backends/gobgp/render/classes.ts";
import { type Policies, policiesOf } from "../../backends/gobgp/render/policies.ts";
import { type Speaking, speakingsOf } from "../../backends/gobgp/render/speaking.ts";
import { address } from "../../events/address.ts";
import { asn } from "../../events/ids.ts";
import { intentOf, plainly } from "../live/gobgpd.ts";
import { keyOf, spokenNeighbor } from "../live/speaker.ts";

export const [THREE, FOUR] = DIALECTS;

/** An eBGP neighbour of AS 64999 that is told IPv4. */
export const peer = (remote: string, more: Partial<NeighborIntent> = {}): NeighborIntent =>
  spokenNeighbor(remote, {
    backend: "gobgp",
    remoteAs: { type: "asn", asn: asn(64999) },
    families: ["ipv4"],
    ...more,
  });

export const told = (
  to: readonly string[],
  attributes: Partial<Export["attributes"]> = {},
): Export => ({
  to: to.map((remote) => keyOf(remote)),
  attributes: { ...plainly, ...attributes },
});

export type Rendered = {
  readonly intent: SpeakerIntent;
  readonly speaking: readonly Speaking[];
  readonly book: ClassBook;
  readonly policies: Policies;
};

export function rendered(
  neighbors: readonly NeighborIntent[],
  routes: Readonly<Record<string, readonly Export[]>> = {},
  dialect = THREE,
): Rendered {
  const intent = intentOf({ neighbors, routes });
  const { speaking } = speakingsOf(intent, {
    otherNextHop: (_, family) => (family === "ipv6" ? address("fd99::1") : undefined),
    hasSecret: () => true,
    near: ({ localAddress }) => ({ address: localAddress }),
  });
  const book = bookOf(intent, new Map(), emptyBook(), () => true);
  return { intent, speaking, book, policies: policiesOf(speaking, routeClasses(book), dialect) };
}

/** What a policy holds, one line a statement: its neighbours, its conditions, what it does. */
export function linesOf({ sets, statements }: Policies, policy: string): readonly string[] {
  return [...statements.values()]
    .filter((one) => one.policy === `rutter-${policy}`)
    .map(({ statement: { conditions, actions } }) => {
      const { afi_safi_in: families, ...matches } = conditions;
      const said = Object.values(matches).map(({ type, name }) => {
        const set = sets.get(name);
        const ranges = set?.prefixes.map(
          (one) => `${one.ip_prefix}{${one.mask_length_min},${one.mask_length_max}}`,
        );
        return `${type === 2 ? "not " : ""}${[...(set?.list ?? []), ...(ranges ?? [])].join(" ")}`;
      });
      const family = (families ?? []).map(({ afi }) => (afi === 1 ? "IPv4 " : "IPv6 ")).join("");
      return `${family}${said.join(" & ")} => ${JSON.stringify(actions)}`;
    })
    .toSorted();
}
