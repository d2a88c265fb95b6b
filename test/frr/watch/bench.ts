/** A watcher on a clock that the test turns, with daemons that answer what FRR 8.4.4 printed. */
import type { RouteBatch, SessionFact } from "../../../backends/backend.ts";
import { createWatcher, type Watcher } from "../../../backends/frr/watch/watcher.ts";
import type { SpeakerIntent } from "../../../backends/intent.ts";
import { type VirtualClock, virtualClock } from "../../virtual-clock.ts";
import { type FakeDaemon, fakeDaemon, intentOf, neighbor, recorded, settle } from "./fake.ts";

const silentLogger = { info: () => undefined, warn: () => undefined, error: () => undefined };
export const NEIGHBORS = [
  neighbor("10.9.0.2"),
  neighbor("10.9.0.77"),
  neighbor("e0", { families: ["ipv4", "ipv6"] }),
];

const bgpdAnswers = () => ({
  "show modules": recorded("modules.txt"),
  "show bgp vrf all summary failed json": recorded("summary-failed.txt"),
  "show bgp vrf all summary json": recorded("summary.txt"),
  "show bgp vrf default neighbors 10.9.0.2 json": recorded("neighbor-up.txt"),
  "show bgp vrf default neighbors e0 json": recorded("neighbor-interface.txt"),
  "show bgp vrf default neighbors 10.9.0.77 json": '{"10.9.0.77":{"bgpState":"Active"}}',
  "show bgp vrf default ipv4 unicast json": recorded("table.txt"),
  "show bgp vrf default ipv6 unicast json": '{"tableVersion":3,"routes":{}}',
});

export type Bench = Disposable & {
  readonly clock: VirtualClock;
  readonly bgpd: FakeDaemon;
  readonly watcher: Watcher;
  readonly facts: (SessionFact | RouteBatch)[];
  readonly news: string[];
  /** Turns the clock so far, in steps in which answers come in. */
  advance(millis: number): Promise<void>;
};

export async function bench(
  intent: SpeakerIntent = intentOf(NEIGHBORS),
  bfdd?: FakeDaemon,
): Promise<Bench> {
  const clock = virtualClock();
  const bgpd = fakeDaemon(bgpdAnswers());
  const watcher = createWatcher({ bgpd, bfdd, zebra: undefined, clock, logger: silentLogger });
  const facts: (SessionFact | RouteBatch)[] = [];
  const news: string[] = [];
  watcher.watch((fact) => facts.push(fact));
  watcher.onDaemon((what, reason, daemon) => news.push(`${daemon} ${what} ${reason}`.trim()));
  watcher.neighbors(intent);
  // Every pause of the watcher's is a multiple of it, so that no look seems to take time.
  const step = 10;
  const advance = async (millis: number): Promise<void> => {
    for (let passed = 0; passed < millis; passed += step) {
      clock.advance(step);
      await settle();
    }
  };
  await advance(50);
  return {
    clock,
    bgpd,
    watcher,
    facts,
    news,
    advance,
    [Symbol.dispose]: watcher.close,
  };
}
