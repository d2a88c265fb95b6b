/**
 * The chain from a manifest to the wire, or the first rule that stopped it.
 *
 * Pure: reads the state and the plan that are in force, and what the sessions say; never decides. Facts are named by id; the
 * API turns them into positions in the log. The question may be a Service, a prefix or a neighbour. Reads next: why-steps.ts.
 */
import type { SessionStatus } from "../../backends/backend.ts";
import type { NeighborIntent, OwnRoute } from "../../backends/intent.ts";
import type { NeighborKey } from "../../events/ids.ts";
import { comparePrefixes, hostPrefix, type Prefix, prefixContains } from "../../events/prefix.ts";
import { type DesiredState, type Held, resourcesOf } from "../../events/state.ts";
import type { Service } from "../../events/resources/service.ts";
import { healthOf } from "./announce.ts";
import { heldIn } from "./held.ts";
import type { MergedNeighbor } from "./merge.ts";
import type { NeighborVerdict } from "./neighbors.ts";
import type { Plan } from "./plan.ts";
import { exportChain, exportedPrefixNamed, exportOwnerChain, notExported } from "./why-export.ts";
import {
  neighborChain,
  neighborNamed,
  ok,
  ownerChain,
  ownerSteps,
  ownPrefixChain,
  ownPrefixNamed,
  prefixNamed,
  type Step,
  stop,
} from "./why-steps.ts";

export type Why = {
  readonly prefix: string;
  readonly peer: string | null;
  readonly announced: boolean;
  readonly chain: readonly Step[];
};

type Question = { readonly subject: string; readonly peer: string | undefined };

export function why(
  { subject, peer }: Question,
  desired: DesiredState,
  plan: Plan,
  sessions: ReadonlyMap<NeighborKey, SessionStatus>,
): Why {
  const service = serviceOf(subject, desired, plan);
  const neighbor = service === undefined ? neighborNamed(subject, plan) : undefined;
  if (neighbor !== undefined) return whyNeighbor(subject, neighbor, desired, plan, sessions);
  const owner =
    service === undefined
      ? (ownerChain(subject, desired, plan) ?? exportOwnerChain(subject, desired))
      : undefined;
  if (owner !== undefined)
    return { prefix: subject, peer: peer ?? null, announced: false, chain: owner };
  const own = [ownPrefixNamed(subject, desired), exportedPrefixNamed(subject, desired)]
    .filter((one) => one !== undefined)
    .toSorted(comparePrefixes)
    .at(-1);
  const asked = prefixNamed(subject);
  const prefixes = (service && plan.verdicts.get(service.key)?.prefixes) ?? [];
  const served = prefixes.find(
    (one) => asked === undefined || one === asked || prefixContains(one, asked),
  );
  // A wider prefix of ours says nothing of a Service in it.
  const prefix = served ?? (service === undefined || own === asked ? own : undefined);
  if (service === undefined && prefix === undefined) {
    const reason = `no Service of this host holds ${subject}, no FRRConfiguration has it, and nothing here has that name`;
    return {
      prefix: asked ?? subject,
      peer: peer ?? null,
      announced: false,
      chain: [...notExported(subject, desired), stop("service", subject, reason)],
    };
  }
  const chain = [
    ...(service === undefined ? [] : serviceSteps(service, desired, plan)),
    ...(prefix === undefined ? [] : ownPrefixChain(prefix, desired, plan)),
    ...(prefix === undefined ? [] : exportChain(prefix, desired)),
  ];
  if (prefix === undefined || plan.memo.contributors.get(prefix) === undefined) {
    const address = service && desired.allocations.get(service.key)?.addresses[0]?.address;
    const shown = prefix ?? asked ?? (address === undefined ? subject : hostPrefix(address));
    return { prefix: shown, peer: peer ?? null, announced: false, chain };
  }
  const told = peerSteps(prefix, peer, plan, sessions);
  return {
    prefix,
    peer: peer ?? null,
    announced: told.some(({ step, verdict }) => step === "wire" && verdict === "ok"),
    chain: [...chain, ...told],
  };
}

/** By name, by an address it holds, or by a prefix that it is announced in. */
function serviceOf(subject: string, desired: DesiredState, plan: Plan): Held<Service> | undefined {
  const services = resourcesOf(desired, "/Service");
  const asked = prefixNamed(subject);
  for (const [key, held] of services) {
    const { name, namespace } = held.resource.metadata;
    if (asked === undefined) {
      if (name === subject || `${namespace}/${name}` === subject) return held;
      continue;
    }
    const addresses = desired.allocations.get(key)?.addresses ?? [];
    if (addresses.some(({ address }) => prefixContains(asked, hostPrefix(address)))) return held;
    if (plan.verdicts.get(key)?.prefixes.includes(asked) === true) return held;
  }
  return undefined;
}

function serviceSteps(held: Held<Service>, desired: DesiredState, plan: Plan): Step[] {
  const { key } = held;
  const verdict = plan.verdicts.get(key);
  const allocation = desired.allocations.get(key);
  const steps: Step[] = [ok("manifest", key, `applied by ${held.owner}`, held.fact)];
  if (allocation !== undefined) {
    const addresses = allocation.addresses.map(({ address }) => address).join(", ");
    steps.push(ok("allocation", key, `holds ${addresses}`, allocation.fact));
    for (const pool of new Set(allocation.addresses.map((one) => one.pool))) {
      steps.push(ok("pool", pool, "gives the address", heldIn(desired, pool)?.fact));
    }
  }
  if (verdict === undefined)
    return [...steps, stop("announce", key, "it has not been planned yet")];
  if (!verdict.announced) {
    const fact = desired.endpoints.get(key)?.fact ?? desired.awaiting.get(key)?.fact;
    return [...steps, stop("announce", key, verdict.reason, fact)];
  }
  const advertisements = new Set(
    (plan.memo.contributions.get(key) ?? []).map(({ advertisement }) => advertisement),
  );
  for (const advertisement of advertisements) {
    steps.push(
      ok(
        "advertisement",
        advertisement,
        "announces the pool from this host",
        heldIn(desired, advertisement)?.fact,
      ),
    );
  }
  const health = healthOf(plan.memo.context, key);
  steps.push(ok("endpoint", key, health.reason || "healthy", health.facts[0]));
  for (const warning of verdict.warnings) {
    steps.push({
      step: "aggregation",
      subject: key,
      verdict: "warning",
      reason: warning,
      fact: undefined,
    });
  }
  return steps;
}

/** The question was about a neighbour: who owns it, and what became of it. */
function whyNeighbor(
  subject: string,
  asked: NeighborVerdict,
  desired: DesiredState,
  plan: Plan,
  sessions: ReadonlyMap<NeighborKey, SessionStatus>,
): Why {
  const { key, name } = asked.neighbor;
  const chain = neighborChain(asked, desired, plan);
  if (asked.verdict.type === "refused")
    return { prefix: subject, peer: name, announced: false, chain };
  const told = plan.speakers[asked.backend]?.routers.some(({ routes }) =>
    [...routes.values()].some(({ exports }) => exports.some(({ to }) => to.includes(key))),
  );
  const session = sessionStep(name, sessions.get(key));
  return {
    prefix: subject,
    peer: name,
    announced: told === true && session.verdict === "ok",
    chain: [...chain, session],
  };
}

function peerSteps(
  prefix: Prefix,
  asked: string | undefined,
  plan: Plan,
  sessions: ReadonlyMap<NeighborKey, SessionStatus>,
): Step[] {
  const routers = Object.values(plan.speakers).flatMap((speaker) => speaker?.routers ?? []);
  const steps: Step[] = [];
  for (const router of routers) {
    const route = router.routes.get(prefix);
    for (const neighbor of router.neighbors) {
      if (
        asked !== undefined &&
        neighbor.name !== asked &&
        !neighbor.key.split("|").includes(asked)
      )
        continue;
      const merged = plan.neighbors.get(neighbor.key)?.neighbor;
      steps.push(...neighborSteps(prefix, route, neighbor, merged, sessions.get(neighbor.key)));
    }
  }
  if (steps.length > 0) return steps;
  return [stop("peer", asked ?? prefix, closedPeer(asked, plan))];
}

function closedPeer(asked: string | undefined, plan: Plan): string {
  for (const [key, verdict] of plan.peers) {
    if (asked !== undefined && !key.endsWith(`/${asked}`)) continue;
    if (verdict.type === "not-selected") return `${key} does not select this host`;
    if (verdict.type !== "opened") return `${key} is ${verdict.type}: ${verdict.reason}`;
  }
  return asked === undefined
    ? "this host has no peer that can be told"
    : `there is no peer ${asked} on this host`;
}

function neighborSteps(
  prefix: Prefix,
  route: OwnRoute | undefined,
  neighbor: NeighborIntent,
  merged: MergedNeighbor | undefined,
  session: SessionStatus | undefined,
): Step[] {
  const cause = neighbor.provenance[0];
  const told = route?.exports.find(({ to }) => to.includes(neighbor.key));
  if (told === undefined) {
    const family = prefix.includes(":") ? "ipv6" : "ipv4";
    const reason = neighbor.families.includes(family)
      ? "no advertisement, RouteExport or toAdvertise of this prefix names this peer"
      : `the session carries no ${family} routes: set dualStackAddressFamily, or peer over ${family}`;
    return [stop("peer", neighbor.name, reason, cause)];
  }
  const several = merged !== undefined && merged.owners.length > 1;
  const head = [
    ok("peer", neighbor.name, "is to be told", cause),
    ...(several ? ownerSteps(merged) : []),
    sessionStep(neighbor.name, session),
  ];
  return session?.state === "Established"
    ? [...head, ok("wire", neighbor.name, `${prefix} is announced`, undefined)]
    : head;
}

function sessionStep(name: string, session: SessionStatus | undefined): Step {
  if (session?.state === "Established") return ok("session", name, "Established", undefined);
  const reason = `the session is ${session?.state ?? "not started"}${session?.reason ? `: ${session.reason}` : ""}`;
  return stop("session", name, reason);
}
