/**
 * `why` of a route that was learned: its rule, its sessions and its place in the kernel (design §2, "provenance").
 *
 * A learned route has no fact of its own; what put it there is the import rule's cause, the session's and the batch.
 */
import type { SessionStatus } from "../../backends/backend.ts";
import type { Kernel, KernelRoute } from "../../backends/kernel/facts.ts";
import type { NeighborKey } from "../../events/ids.ts";
import { type Prefix, prefixContains, prefixLength } from "../../events/prefix.ts";
import type { State } from "../../events/state.ts";
import type { Plan } from "../plan/plan.ts";
import type { Why } from "../plan/why.ts";
import { ok, prefixNamed, type Step } from "../plan/why-steps.ts";

type Known = {
  readonly kernel: Kernel | undefined;
  readonly plan: Plan;
  readonly recorded: State;
  readonly sessions: ReadonlyMap<NeighborKey, SessionStatus>;
};

/** `answer` itself where the plan knows the subject, or nothing of the kernel leads there. */
export function whyLearned(subject: string, answer: Why, known: Known): Why {
  const asked = prefixNamed(subject);
  const isUnknown = answer.chain.length === 1 && answer.chain[0]?.step === "service";
  if (!isUnknown || asked === undefined || known.kernel === undefined) return answer;
  const routes = longest(known.kernel.routes(), asked);
  const [first] = routes;
  if (first === undefined) return answer;
  return {
    prefix: first.prefix,
    peer: answer.peer,
    announced: false,
    chain: routes.flatMap((route) => steps(route, known)),
  };
}

/** All routes of the longest prefix that holds it: one for each table and metric. */
function longest(routes: Iterable<KernelRoute>, asked: Prefix): readonly KernelRoute[] {
  let found: KernelRoute[] = [];
  for (const route of routes) {
    if (!prefixContains(route.prefix, asked)) continue;
    const best = found[0] === undefined ? -1 : prefixLength(found[0].prefix);
    const length = prefixLength(route.prefix);
    if (length > best) found = [route];
    else if (length === best) found.push(route);
  }
  return found;
}

function steps(
  { prefix, rule: name, neighbors, hops, table, metric }: KernelRoute,
  { plan, recorded, sessions }: Known,
): readonly Step[] {
  const rule = plan.kernel.imports.find((one) => one.name === name);
  const where = hops.map(({ gateway, device }) => `via ${gateway ?? "the link"} dev ${device}`);
  return [
    ...neighbors.map((key) => {
      const session = sessions.get(key);
      const reason = `says it; ${session?.state ?? "down"}`;
      return ok("session", session?.name ?? key, reason, recorded.sessions.get(key)?.fact);
    }),
    rule === undefined
      ? ok("import", name || prefix, "an earlier run installed it", undefined)
      : ok("import", name, "this rule takes it", rule.provenance[0]),
    ok("kernel", prefix, `table ${table} metric ${metric} ${where.join(", ")}`, undefined),
  ];
}
