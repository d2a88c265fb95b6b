/**
 * What is planned and held back, as `plan` and `why` show it: by a new program version (pipeline/upgrade.ts), or because the
 * host does not receive it (pipeline/withhold.ts).
 */
import type { NeighborKey } from "../../events/ids.ts";
import { comparePrefixes, type Prefix } from "../../events/prefix.ts";
import type { State } from "../../events/state.ts";
import type { PlanJson } from "../api/contract.ts";
import { splitWireKey } from "../pipeline/effects.ts";
import { nothingUnexplained, type Unexplained } from "../pipeline/upgrade.ts";
import type { Why } from "../plan/why.ts";

/** `nameOf`: a peer's name; the key stands for a peer that is in no plan any more. */
export function holdView(
  held: Unexplained,
  nameOf: (neighbor: NeighborKey) => string,
): PlanJson["held"] {
  if (nothingUnexplained(held)) return null;
  return { remove: prefixesOf(held), resets: held.resets.map(nameOf).toSorted() };
}

/** `answer`, with the hold as its last step where it concerns this prefix: a held route is on the wire. */
export function whyHeld(answer: Why, held: Unexplained, { heldPlan }: State): Why {
  const prefix = prefixesOf(held).find((one) => one === answer.prefix);
  if (prefix === undefined || heldPlan === undefined) return answer;
  const reason = `stays as ${heldPlan.from} announced it: ${heldPlan.to} would withdraw it, which waits for: rutter confirm plan`;
  const step = { step: "hold", subject: prefix, verdict: "warning", reason } as const;
  return {
    ...answer,
    announced: true,
    chain: [...answer.chain, { ...step, fact: heldPlan.fact }],
  };
}

/** `answer`, with what keeps the prefix from being announced as its last step. */
export function whyWithheld(answer: Why, withheld: ReadonlyMap<Prefix, string>): Why {
  const found = [...withheld].find(([prefix]) => prefix === answer.prefix);
  if (found === undefined) return answer;
  const [subject, why] = found;
  const reason = `not announced while this host receives nothing for it: ${why}`;
  const step = { step: "bind", subject, verdict: "stopped", reason, fact: undefined } as const;
  const chain = answer.chain.filter((one) => one.step !== "wire");
  return { ...answer, announced: false, chain: [...chain, step] };
}

const prefixesOf = ({ withdrawals }: Unexplained): Prefix[] =>
  [...new Set(withdrawals.map((key) => splitWireKey(key)[1]))].toSorted(comparePrefixes);
