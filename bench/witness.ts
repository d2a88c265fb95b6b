/**
 * Notes when addresses are bound in this network namespace, by the kernel's own news. Reads next: wire.ts.
 */
import { openNews, RECEIVE_OCTETS } from "../backends/kernel/io/socket.ts";
import { RTM_DELADDR, RTM_NEWADDR } from "../backends/kernel/netlink/numbers.ts";

export type Witness = {
  /** Addresses bound since the start, others' and unbound ones not subtracted. */
  readonly bound: () => number;
  readonly unbound: () => number;
  /** Resolves with performance.now() of the news by which so many were bound. */
  reaches(count: number): Promise<number>;
  close(): void;
};

export function openWitness(): Witness {
  let bound = 0;
  let unbound = 0;
  let waiting: { readonly count: number; readonly done: (at: number) => void }[] = [];
  const close = openNews({
    port: 0,
    receiveOctets: 16 * RECEIVE_OCTETS,
    take({ type }) {
      if (type === RTM_DELADDR) unbound += 1;
      if (type !== RTM_NEWADDR) return;
      bound += 1;
      const now = performance.now();
      for (const { done } of waiting.filter(({ count }) => bound >= count)) done(now);
      waiting = waiting.filter(({ count }) => bound < count);
    },
    lost: () => process.stderr.write("news were lost: the figures of bound addresses are wrong\n"),
  });
  return {
    bound: () => bound,
    unbound: () => unbound,
    reaches: (count) =>
      new Promise((done) => {
        if (bound >= count) done(performance.now());
        else waiting.push({ count, done });
      }),
    close,
  };
}
