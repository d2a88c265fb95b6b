/**
 * A host in a test: manifests as text go in through the same reader and the same decisions as in the agent; state and plan
 * come out. No disk, no clock: ids count up, secrets are sealed into their own length.
 */
import { type Command, decide } from "../../agent/decide/decide.ts";
import type { Decision } from "../../agent/decide/decision.ts";
import { readManifests } from "../../agent/manifests/read.ts";
import { claimsOf } from "../../agent/plan/claims.ts";
import { merge } from "../../agent/plan/merge.ts";
import { ownersHere } from "../../agent/plan/owners-here.ts";
import type { PlanOptions } from "../../agent/plan/options.ts";
import { plan, type Plan } from "../../agent/plan/plan.ts";
import type { NeighborIntent } from "../../backends/intent.ts";
import type { HostFacts } from "../../events/event.ts";
import type { EventId, ResourceKey } from "../../events/ids.ts";
import type { Owner, Seal } from "../../events/resources/resource.ts";
import { type DesiredState, nothingDesired } from "../../events/state.ts";

export const options: PlanOptions = {
  backend: "native",
  capabilities: { has: new Set(["tcp-md5", "graceful-restart", "local-as"]), missing: new Map() },
  kernel: { has: new Set(), missing: new Map() },
};

export const host: HostFacts = {
  node: "host-1",
  hostname: "host-1",
  labels: { "kubernetes.io/hostname": "host-1", rack: "r1" },
  defaultEndpoint: "always",
};

const seal: Seal = (name, value) => ({
  name,
  version: `${value.length}`,
  digest: value.length.toString(16),
});

let counter = 0;
export const nextId = (): EventId => {
  counter += 1;
  return `test-${counter}` as EventId;
};

/** Documents of a text; throws with the complaints where there are any. */
export function documentsIn(text: string, owner: Owner = "cli", file = "test.yaml") {
  const read = readManifests(text, file, { seal });
  if (read.complaints.length > 0) {
    throw new Error(read.complaints.map(({ line, message }) => `${line}: ${message}`).join("\n"));
  }
  return read.documents.map(({ resource, location }) => ({ resource, owner, ...location }));
}

export const applying = (
  text: string,
  extra: Partial<Extract<Command, { type: "apply" }>> = {},
): Command => ({
  type: "apply",
  documents: documentsIn(text, extra.owner),
  owner: "cli",
  takeOver: false,
  keepGoing: false,
  prune: false,
  ...extra,
});

export const deleting = (...keys: readonly string[]): Command => ({
  type: "delete",
  keys: keys as readonly ResourceKey[],
  owner: "cli",
  takeOver: false,
});

export type World = { readonly desired: DesiredState; readonly decisions: readonly Decision[] };

/** A host on which these commands were given, one after the other. */
export function world(
  facts: Partial<HostFacts>,
  ...commands: readonly (Command | string)[]
): World {
  const observed = decide(
    nothingDesired,
    { type: "observe-host", facts: { ...host, ...facts } },
    nextId,
  );
  return after({ desired: observed.after, decisions: [] }, ...commands);
}

export function after(before: World, ...commands: readonly (Command | string)[]): World {
  let { desired } = before;
  const decisions = [...before.decisions];
  for (const command of commands) {
    const decision = decide(
      desired,
      typeof command === "string" ? applying(command) : command,
      nextId,
    );
    decisions.push(decision);
    desired = decision.after;
  }
  return { desired, decisions };
}

export const planOf = ({ desired }: World): Plan => plan(desired, options);

/** What was set aside: name → rule. */
export const asideIn = ({ desired }: World): Record<string, string> =>
  Object.fromEntries(
    [...desired.quarantined].map(([key, { rule }]) => [key.split("/").at(-1), rule]),
  );

/** Routers and neighbours of all owners in force, before capabilities are asked. */
export const mergedIn = ({ desired }: World) =>
  merge(
    ownersHere(desired)
      .filter(({ key }) => !desired.quarantined.has(key))
      .map((one) => claimsOf(desired, one)),
  );

/** All neighbours that are opened, by name. */
export const neighborsIn = (made: Plan): Record<string, NeighborIntent> =>
  Object.fromEntries(
    (made.speakers.native?.routers ?? []).flatMap(({ neighbors }) =>
      neighbors.map((one) => [one.name, one]),
    ),
  );

/** What each peer is told: `peer` → `prefix attributes…`, sorted. */
export function told(made: Plan): Record<string, readonly string[]> {
  const lines: Record<string, string[]> = {};
  for (const router of made.speakers.native?.routers ?? []) {
    for (const neighbor of router.neighbors) {
      lines[neighbor.name] = [...router.routes.values()]
        .flatMap((route) =>
          route.exports
            .filter(({ to }) => to.includes(neighbor.key))
            .map(({ attributes: { localPref, communities, largeCommunities } }) =>
              [
                route.prefix,
                ...(localPref === undefined ? [] : [`lp=${localPref}`]),
                ...communities.map((one) => `${one >>> 16}:${one & 0xffff}`),
                ...largeCommunities,
              ].join(" "),
            ),
        )
        .toSorted();
    }
  }
  return lines;
}

export const reasonOf = (made: Plan, service: string): string =>
  made.verdicts.get(`/Service/default/${service}` as ResourceKey)?.code ?? "unknown";

export const addressesOf = ({ desired }: World, service: string): readonly string[] =>
  (desired.allocations.get(`/Service/default/${service}` as ResourceKey)?.addresses ?? []).map(
    ({ address }) => address,
  );

const document = (
  apiVersion: string,
  kind: string,
  name: string,
  spec: object,
  labels = {},
): string =>
  `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: ${JSON.stringify({ name, namespace: kind === "Service" ? "default" : "metallb-system", labels })}\nspec: ${JSON.stringify(spec)}`;

export const pool = (
  name: string,
  addresses: readonly string[],
  spec: object = {},
  labels = {},
): string => document("metallb.io/v1beta1", "IPAddressPool", name, { addresses, ...spec }, labels);
export const advertisement = (name: string, spec: object = {}): string =>
  document("metallb.io/v1beta1", "BGPAdvertisement", name, spec);
export const peer = (name: string, address: string, spec: object = {}): string =>
  document("metallb.io/v1beta2", "BGPPeer", name, {
    myASN: 64512,
    peerASN: 64999,
    peerAddress: address,
    ...spec,
  });
/** An FRRConfiguration with these routers; `more` goes beside `bgp`. */
export const configuration = (
  name: string,
  routers: readonly object[],
  { bfdProfiles, ...more }: Readonly<Record<string, unknown>> = {},
): string =>
  document("frrk8s.metallb.io/v1beta1", "FRRConfiguration", name, {
    bgp: { routers, ...(bfdProfiles === undefined ? {} : { bfdProfiles }) },
    ...more,
  });
/** A Secret as BGPPeers and FRRConfigurations name it. */
export const password = (name: string, value: string): string =>
  `apiVersion: v1\nkind: Secret\nmetadata: {name: ${name}, namespace: metallb-system}\ntype: kubernetes.io/basic-auth\nstringData: {password: "${value}"}`;
export const community = (name: string, communities: Readonly<Record<string, string>>): string =>
  document("metallb.io/v1beta1", "Community", name, {
    communities: Object.entries(communities).map(([key, value]) => ({ name: key, value })),
  });
export const service = (name: string, spec: object = {}, labels = {}): string =>
  document("v1", "Service", name, { type: "LoadBalancer", ports: [{ port: 80 }], ...spec }, labels);
export const annotated = (name: string, annotations: object, spec: object = {}): string =>
  `apiVersion: v1\nkind: Service\nmetadata: ${JSON.stringify({ name, namespace: "default", annotations })}\nspec: ${JSON.stringify({ type: "LoadBalancer", ports: [{ port: 80 }], ...spec })}`;
export const together = (...parts: readonly string[]): string => parts.join("\n---\n");
