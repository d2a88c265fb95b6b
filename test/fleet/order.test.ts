/**
 * Whatever becomes of messages on their way: every host that ends at the last generation ends in the same state.
 * Method: random changes by the real publisher, with bases between them; delivered lost, doubled and shuffled to a host with
 * resources of its own, until it is at the end. The host that was told in order is what it is compared with.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { applyDesired } from "../../events/fold.ts";
import { applying, nextId, pool, service, together, world } from "../plan/world.ts";
import { addressesOn, digestIn, fed, host, key, type Made, publisher } from "./fleet.ts";

const NAMES = ["a", "b", "c", "d"] as const;

type Step =
  | { readonly type: "put"; readonly name: string; readonly wants: number | undefined }
  | { readonly type: "delete"; readonly name: string }
  | { readonly type: "pool"; readonly size: number }
  | { readonly type: "base" };

const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    fc.record({
      type: fc.constant("put" as const),
      name: fc.constantFrom(...NAMES),
      wants: fc.option(fc.integer({ min: 0, max: 7 }), { nil: undefined }),
    }),
    fc.record({ type: fc.constant("delete" as const), name: fc.constantFrom(...NAMES) }),
    fc.record({ type: fc.constant("pool" as const), size: fc.integer({ min: 29, max: 31 }) }),
    fc.constant({ type: "base" as const }),
  ),
  { minLength: 3, maxLength: 12 },
);

/** Every message of a fleet's life, in order; a step that changes nothing makes none. */
function published(life: readonly Step[]): {
  readonly messages: readonly Made[];
  readonly from: ReturnType<typeof publisher>;
} {
  const from = publisher();
  const messages = [from.change(pool("p", ["192.0.2.0/30"]))];
  const there = new Set<string>();
  let size = 30;
  for (const [i, step] of life.entries()) {
    if (step.type === "base") messages.push(from.base());
    else if (step.type === "pool" && step.size !== size) {
      ({ size } = step);
      messages.push(from.change(pool("p", [`192.0.2.0/${size}`])));
    } else if (step.type === "put") {
      const wanted = step.wants === undefined ? {} : { loadBalancerIP: `192.0.2.${step.wants}` };
      there.add(step.name);
      messages.push(from.change(service(step.name, wanted, { step: String(i) })));
    } else if (step.type === "delete" && there.delete(step.name)) {
      messages.push(from.change("", [`/Service/default/${step.name}`]));
    }
  }
  return { messages, from };
}

test("any order, doubling and loss ends in the state of in-order delivery, and in the publisher's", () => {
  fc.assert(
    fc.property(
      steps,
      fc.infiniteStream(fc.nat()),
      fc.array(fc.boolean(), { minLength: 60, maxLength: 60 }),
      (life, chance, lost) => {
        const { messages, from } = published(life);
        const inOrder = host();
        for (const message of messages) inOrder.give(message);

        const local = together(pool("own", ["192.0.2.0/28", "198.51.100.0/24"]), service("mine"));
        const other = host(world({}, local));
        const first = messages
          .flatMap((message, i) => (lost[i] === true ? [] : [message, message]))
          .map((message) => ({ message, at: chance.next().value }))
          .toSorted((a, b) => a.at - b.at);
        for (const { message } of first) other.give(message);
        // What was lost comes by reading the stream again, or by a base that says all of it.
        const recovery = lost.at(-1) === true ? [from.base()] : messages;
        for (const message of recovery) other.give(message);

        const wanted = digestIn(from.state().desired);
        expect(digestIn(inOrder.desired())).toBe(wanted);
        expect(digestIn(other.desired())).toBe(wanted);
        expect(fed(other.desired())).toEqual(fed(inOrder.desired()));
        for (const name of NAMES) {
          expect(addressesOn(other.desired(), name)).toEqual(addressesOn(inOrder.desired(), name));
        }
        expect(other.feed().diverged).toBeUndefined();
      },
    ),
    { numRuns: 150 },
  );
});

test("no delivery deletes what has no tombstone", () => {
  fc.assert(
    fc.property(steps, fc.infiniteStream(fc.nat()), (life, chance) => {
      const { messages } = published(life);
      const tombstones = new Set(messages.flatMap(({ set }) => set.deletes));
      const there = host();
      const shuffled = [...messages, ...messages]
        .map((message) => ({ message, at: chance.next().value }))
        .toSorted((a, b) => a.at - b.at);
      const deleted = shuffled.flatMap(({ message }) =>
        there
          .give(message)
          .facts.flatMap(({ event }) => (event.type === "resource-deleted" ? [event.key] : [])),
      );
      expect(deleted.filter((key) => !tombstones.has(key))).toEqual([]);
    }),
    { numRuns: 100 },
  );
});

test("the digest tells states apart, and not what else a host has", () => {
  const from = publisher();
  const [plain, busy, behind] = [host(), host(), host()];
  const sets = [pool("p", ["192.0.2.0/30"]), service("a"), service("b")].map((text) =>
    from.change(text),
  );
  expect(digestIn(plain.desired())).toBe("");
  for (const set of sets) plain.give(set);
  for (const set of sets) busy.give(set);
  for (const set of sets.slice(0, 2)) behind.give(set);
  busy.command(applying(service("mine")));
  expect(digestIn(busy.desired())).toBe(digestIn(plain.desired()));
  expect(digestIn(behind.desired())).not.toBe(digestIn(plain.desired()));
  const reason = "somebody's mistake";
  const without = applyDesired(
    plain.desired(),
    { type: "address-released", service: key("/Service/default/a"), reason },
    nextId(),
  );
  expect(digestIn(without)).not.toBe(digestIn(plain.desired()));
  busy.command(applying(service("a"), { takeOver: true }));
  expect(digestIn(busy.desired())).not.toBe(digestIn(plain.desired()));
});
