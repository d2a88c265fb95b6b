/**
 * Notes when addresses are bound in this network namespace, on a device or by a local route of ours, by the kernel's own news.
 * Reads next: wire.ts.
 */
import { openNews, RECEIVE_OCTETS } from "../backends/kernel/io/socket.ts";
import type { Message } from "../backends/kernel/netlink/codec.ts";
import {
  PROTOCOL,
  RTM_DELADDR,
  RTM_DELROUTE,
  RTM_NEWADDR,
  RTM_NEWROUTE,
  RTN_LOCAL,
} from "../backends/kernel/netlink/numbers.ts";

export type Witness = {
  /** Addresses bound since the start, others' and unbound ones not subtracted. */
  readonly bound: () => number;
  readonly unbound: () => number;
  /** Resolves with performance.now() of the news by which so many were unbound. */
  gone(count: number): Promise<number>;
  /** Resolves with performance.now() of the news by which so many were bound. */
  reaches(count: number): Promise<number>;
  close(): void;
};

type Counter = {
  count: number;
  waiting: { readonly count: number; readonly done: (at: number) => void }[];
};

function note(counter: Counter): void {
  counter.count += 1;
  const { count, waiting } = counter;
  if (!waiting.some((one) => count >= one.count)) return;
  const now = performance.now();
  for (const one of waiting) if (count >= one.count) one.done(now);
  counter.waiting = waiting.filter((one) => count < one.count);
}

const reaching =
  (counter: Counter) =>
  (count: number): Promise<number> =>
    new Promise((done) => {
      if (counter.count >= count) done(performance.now());
      else counter.waiting.push({ count, done });
    });

/** The kernel's own route to an address has another protocol. Octets 5 and 7 of struct rtmsg. */
const isLocal = ({ body }: Message): boolean => body[5] === PROTOCOL && body[7] === RTN_LOCAL;

export function openWitness(): Witness {
  const bound: Counter = { count: 0, waiting: [] };
  const unbound: Counter = { count: 0, waiting: [] };
  const close = openNews({
    port: 0,
    receiveOctets: 16 * RECEIVE_OCTETS,
    take(message) {
      const { type } = message;
      if (type === RTM_NEWADDR || (type === RTM_NEWROUTE && isLocal(message))) note(bound);
      if (type === RTM_DELADDR || (type === RTM_DELROUTE && isLocal(message))) note(unbound);
    },
    lost: () => process.stderr.write("news were lost: the figures of bound addresses are wrong\n"),
  });
  return {
    bound: () => bound.count,
    unbound: () => unbound.count,
    reaches: reaching(bound),
    gone: reaching(unbound),
    close,
  };
}
