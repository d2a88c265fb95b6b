/**
 * The kernel beside the speakers: a virtual IP is bound before anybody is told of it, and unbound after all have taken it back.
 *
 * widen() comes before a speaker's apply and takes nothing away, narrow() after it; what could not be bound is not announced
 * (withhold.ts). Learned routes go to the kernel without passing here (feeding.ts); what the kernel says of itself is recorded.
 * Reads next: ../../backends/kernel/facts.ts.
 */
import type { Kernel, KernelFact, KernelLedger } from "../../backends/kernel/facts.ts";
import type { BackendName } from "../../backends/intent.ts";
import type { KernelIntent } from "../../backends/kernel/intent.ts";
import type { EffectEvent, ObservedEvent } from "../../events/event.ts";
import { diff, type PersistentMap } from "../../events/persistent-map.ts";
import type { State } from "../../events/state.ts";
import type { Recorder } from "./recorder.ts";
import { allUsable, type Unusable } from "./withhold.ts";

export type KernelParts = {
  readonly kernel: Kernel;
  readonly speakers: readonly BackendName[];
  readonly recorder: Recorder;
  /** Links, addresses or VRFs are not what they were. */
  readonly onHost: () => void;
  /** What unusable() gives is not what it was. */
  readonly onUnusable: () => void;
};

export type KernelDriver = {
  /** All of it, beside what is there by the intent before. */
  widen(next: KernelIntent): Promise<void>;
  /** All of it and nothing else, as soon as every speaker was told what belongs to it. */
  narrow(next: KernelIntent, told: BackendName): Promise<void>;
  /** Virtual IPs for which this host receives nothing; the same object until that changes. */
  unusable(): Unusable;
  stop(): void;
};

export function startKernel(parts: KernelParts): KernelDriver {
  const { kernel, speakers, recorder } = parts;
  const toldBy = new Map<BackendName, KernelIntent>();
  let applied: Promise<unknown> = Promise.resolve();
  let held: KernelIntent | undefined;
  let unusable = allUsable;
  const stop = kernel.watch((fact) => {
    if (fact.type === "host") parts.onHost();
    else if (fact.type === "unusable") {
      unusable = fact.addresses;
      parts.onUnusable();
    }
    // The plan's input, and desired state: exports.ts has it.
    else if (fact.type !== "exported") recorder.record(eventOf(fact), "kernel");
  });
  /** One after the other; who asks for what another one has asked for waits for the same. */
  const apply = async (next: KernelIntent): Promise<void> => {
    if (held !== next) {
      held = next;
      applied = applied.then(() => kernel.apply(next));
    }
    await applied;
  };
  return {
    widen: (next) => apply(held === undefined ? next : union(held, next)),
    async narrow(next, told) {
      toldBy.set(told, next);
      if (speakers.every((one) => toldBy.get(one) === next)) await apply(next);
    },
    unusable: () => unusable,
    stop,
  };
}

/** `next` itself where nothing goes. */
function union(before: KernelIntent, next: KernelIntent): KernelIntent {
  const addresses = kept(before.addresses, next.addresses);
  const routes = kept(before.routes, next.routes);
  const rules = kept(before.rules, next.rules);
  const sourceNats = kept(before.sourceNats, next.sourceNats);
  const isNext =
    addresses === next.addresses &&
    routes === next.routes &&
    rules === next.rules &&
    sourceNats === next.sourceNats;
  return isNext ? next : { ...next, addresses, routes, rules, sourceNats };
}

function kept<K extends string, V>(
  before: PersistentMap<K, V>,
  next: PersistentMap<K, V>,
): PersistentMap<K, V> {
  let all = next;
  for (const { key, before: gone, after } of diff(before, next)) {
    if (gone !== undefined && after === undefined) all = all.set(key, gone);
  }
  return all;
}

function eventOf(
  fact: Exclude<KernelFact, { type: "host" | "exported" | "unusable" }>,
): EffectEvent | ObservedEvent {
  switch (fact.type) {
    case "installed":
      return { ...fact, type: "routes-imported" };
    case "own-changed":
      return { ...fact, type: "kernel-applied" };
    case "drift":
      return { ...fact, type: "kernel-drifted" };
    case "resynced": {
      const { reason, missing, extra, changed } = fact;
      return { type: "kernel-read", reason, missing, extra, changed };
    }
  }
}

/** Addresses that the log says we bound, for kernels that do not mark them. */
export const ledgerOf = ({ kernel }: State): KernelLedger => ({
  has: (entry) => kernel?.has(entry) ?? false,
});
