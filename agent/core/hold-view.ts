/**
 * What a new program version plans and must not do yet (pipeline/upgrade.ts), as `plan` and `why` show it.
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

const prefixesOf = ({ withdrawals }: Unexplained): Prefix[] =>
  [...new Set(withdrawals.map((key) => splitWireKey(key)[1]))].toSorted(comparePrefixes);
