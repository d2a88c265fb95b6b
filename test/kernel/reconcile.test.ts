/**
 * Reconciliation: from any content of the kernel and any wanted set, the orders lead to what is wanted beside what is others'.
 * Method: a kernel of Maps that carries out the very octets of a batch, with rtnetlink's rules of EXCL, REPLACE and protocol.
 */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  afterDump,
  beforeDump,
  fill,
  found,
  hasWork,
  newFib,
  newPrepared,
  type Refused,
  settle,
  want,
} from "../../backends/kernel/fib.ts";
import { createForwardings, NOWHERE } from "../../backends/kernel/forwarding.ts";
import type { Words } from "../../backends/kernel/host.ts";
import { messagesOf } from "../../backends/kernel/netlink/codec.ts";
import { decodeNexthop, nexthopId } from "../../backends/kernel/netlink/nexthop.ts";
import {
  NLM_F_EXCL,
  PROTOCOL,
  RTM_DELNEXTHOP,
  RTM_DELROUTE,
  RTM_NEWNEXTHOP,
} from "../../backends/kernel/netlink/numbers.ts";
import { decodeRoute, type Hop, routeView } from "../../backends/kernel/netlink/route.ts";

const KEY = { family: "ipv4", table: 254, metric: 20 } as const;
const PREFIXES: readonly Words[] = Array.from({ length: 24 }, (_, i) => [
  32,
  0x0a00_0000 + i,
  0,
  0,
  0,
]);
const hop = (last: number): Hop => ({ device: 2, gateway: Uint8Array.of(10, 0, 0, last) });
/** Sets of hops by number; 0: nothing. */
const SETS: readonly (readonly Hop[])[] = [
  [],
  [hop(1)],
  [hop(2)],
  [hop(1), hop(2)],
  [hop(3), hop(2)],
];

const AS_BELIEVED = { missing: 0, extra: 0, changed: 0 };

type Entry = { readonly owner: number; readonly to: string };

/** One table at one metric. What of ours a route goes to is the text of its hops, whatever carries them. */
function simulated() {
  const routes = new Map<number, Entry>();
  const objects = new Map<number, string>();
  const view = routeView();
  const textOf = (hops: readonly Hop[]): string =>
    hops
      .map(({ gateway }) => gateway?.join(".") ?? "")
      .toSorted()
      .join();
  return {
    routes,
    objects,
    textOf,
    carryOut(octets: Uint8Array): Refused[] {
      const refused: Refused[] = [];
      let index = -1;
      for (const { type, flags, body } of messagesOf(octets)) {
        index += 1;
        const refuse = (errno: number) => refused.push({ index, errno, words: "" });
        if (type === RTM_NEWNEXTHOP) {
          const entry = decodeNexthop(body);
          if (entry === undefined) throw new Error("not ours");
          const text =
            entry.type === "hop"
              ? textOf([entry.hop])
              : entry.members
                  .map((id) => objects.get(id) ?? "missing")
                  .toSorted()
                  .join();
          objects.set(entry.id, text);
        } else if (type === RTM_DELNEXTHOP) objects.delete(nexthopId(body) ?? 0);
        else if (decodeRoute(body, view)) {
          const there = routes.get(view.a);
          const to = view.nexthop === 0 ? textOf(view.hops) : objects.get(view.nexthop);
          if (type === RTM_DELROUTE) {
            if (there?.owner === PROTOCOL) routes.delete(view.a);
            else refuse(3);
          } else if (to === undefined) refuse(22);
          else if ((flags & NLM_F_EXCL) !== 0 && there !== undefined) refuse(17);
          else routes.set(view.a, { owner: PROTOCOL, to });
        } else throw new Error("unreadable");
      }
      return refused;
    },
  };
}

const content = fc.array(
  fc.record({
    at: fc.nat(PREFIXES.length - 1),
    set: fc.integer({ min: 1, max: 4 }),
    foreign: fc.boolean(),
  }),
);
const wishes = fc.array(fc.tuple(fc.nat(PREFIXES.length - 1), fc.nat(4)));

test.for([true, false])("with next hop objects: %s", (objects) => {
  fc.assert(
    fc.property(content, wishes, wishes, fc.boolean(), (present, first, second, swept) => {
      const kernel = simulated();
      const forwardings = createForwardings(objects);
      const fib = newFib(KEY, 7);
      const others = new Map<number, Entry>();
      beforeDump(fib);
      for (const { at, set, foreign } of present) {
        const words = PREFIXES[at] ?? PREFIXES[0];
        if (words === undefined || kernel.routes.has(words[1])) continue;
        const to = kernel.textOf(SETS[set] ?? []);
        const entry = { owner: foreign ? 4 : PROTOCOL, to };
        kernel.routes.set(words[1], entry);
        if (foreign) others.set(words[1], entry);
        else found(fib, forwardings, words, forwardings.intern("ipv4", SETS[set] ?? [], undefined));
      }
      afterDump(fib, forwardings, true);
      const leftovers = new Map([...kernel.routes].filter(([at]) => !others.has(at)));
      const out = new Uint8Array(64 * 1024);
      const prepared = newPrepared();
      const work = (): void => {
        for (let i = 0; hasWork(fib); i += 1) {
          expect(i).toBeLessThan(10);
          fill(fib, forwardings, { bytes: out, view: new DataView(out.buffer) }, prepared);
          const failures = kernel.carryOut(out.subarray(0, prepared.octets));
          settle(prepared, forwardings, failures);
        }
        const gone = forwardings.sweep();
        expect(kernel.carryOut(Uint8Array.from(gone.flatMap((one) => [...one])))).toEqual([]);
      };
      const wanted = new Map<number, string>();
      const touched = new Set<number>();
      for (const list of [first, second]) {
        for (const [at, set] of list) {
          const words = PREFIXES[at];
          if (words === undefined) continue;
          touched.add(words[1]);
          const hops = SETS[set] ?? [];
          want(
            fib,
            forwardings,
            words,
            hops.length === 0 ? NOWHERE : forwardings.intern("ipv4", hops, undefined),
          );
          if (hops.length === 0) wanted.delete(words[1]);
          else wanted.set(words[1], kernel.textOf(hops));
        }
        work();
      }
      const readAgain = () => {
        fib.mayRemove = true;
        beforeDump(fib);
        for (const words of PREFIXES) {
          const there = kernel.routes.get(words[1]);
          const hops = SETS.find((one) => one.length > 0 && kernel.textOf(one) === there?.to) ?? [];
          if (there?.owner !== PROTOCOL) continue;
          found(fib, forwardings, words, forwardings.intern("ipv4", hops, undefined));
        }
        return afterDump(fib, forwardings, true);
      };
      expect(swept ? readAgain() : AS_BELIEVED).toEqual(AS_BELIEVED);
      work();
      const expected = new Map(others);
      for (const [at, to] of wanted) if (!others.has(at)) expected.set(at, { owner: PROTOCOL, to });
      if (!swept) {
        for (const [at, entry] of leftovers) if (!touched.has(at)) expected.set(at, entry);
      }
      expect(kernel.routes).toEqual(expected);
      // No object stays that nothing needs.
      expect(swept && wanted.size === 0 ? kernel.objects.size : 0).toBe(0);
    }),
    { numRuns: 400 },
  );
});
