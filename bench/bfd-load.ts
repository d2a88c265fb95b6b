/**
 * What keeps the machine busy while BFD is measured: a busy loop for each core, and an agent that takes a full table.
 *
 * All at normal priority. BIRD tells the agent 200,000 routes, and starts its session anew as soon as the agent has them.
 * Reads next: bfd.ts.
 */
import { availableParallelism } from "node:os";
import { startAgent } from "../test/live/agent.ts";
import { apiOf } from "../test/live/api.ts";
import { startBird } from "../test/live/bird.ts";
import { ALWAYS, peerManifest } from "../test/live/manifests.ts";
import type { Node } from "../test/live/netns.ts";
import { pause } from "../test/live/until.ts";
import { HOST_AS, SINK_AS } from "./subject.ts";

const ROUTES = 200_000;
const LOOK_MILLIS = 200;

export type Load = AsyncDisposable & {
  /** Full tables that the agent has taken so far. */
  readonly tables: () => number;
};

export async function startLoad(host: Node, big: Node): Promise<Load> {
  const networks = Array.from(
    { length: ROUTES },
    (_, i) => `${20 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}.0/24`,
  );
  const router = await startBird(big, {
    asn: SINK_AS,
    routerId: big.ipv4,
    networks,
    neighbours: [
      {
        name: "host",
        address: host.ipv4,
        asn: HOST_AS,
        gracefulRestart: false,
        families: ["ipv4"],
      },
    ],
  });
  const agent = await startAgent(host, { config: ALWAYS });
  const api = apiOf(agent.socket);
  const status = await api.apply(
    peerManifest({ localAs: HOST_AS, remoteAs: SINK_AS, address: big.ipv4 }),
  );
  if (status !== 200) throw new Error(`the agent answers the peer with ${status}`);
  const loops = await Promise.all(
    Array.from({ length: availableParallelism() }, () =>
      host.start([process.execPath, "-e", "for (;;);"]),
    ),
  );
  let tables = 0;
  const end = new AbortController();
  let isWhole = false;
  const taking = (async () => {
    while (!end.signal.aborted) {
      const [peer] = await api.get<{ readonly received: number }[]>("/v1/peers");
      if (peer?.received !== ROUTES) isWhole = false;
      else if (!isWhole) {
        isWhole = true;
        tables += 1;
        await router.ask("restart host");
      }
      await pause(LOOK_MILLIS);
    }
  })();
  // Its failure is told where it is waited for, at the end.
  taking.catch(() => {});
  return {
    tables: () => tables,
    async [Symbol.asyncDispose]() {
      end.abort();
      await taking.finally(async () => {
        await Promise.all(loops.map((loop) => loop.stop("SIGKILL")));
        await agent.stop();
        await router.stop("SIGKILL");
      });
    },
  };
}
