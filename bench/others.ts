/**
 * One prefix to the wire by BIRD: `node bench/others.ts`, in the same minutes as bench/wire.ts on the same machine.
 *
 * Through BIRD's control socket, a configuration with one more static route, as its users do it; the far end is the same as in
 * wire.ts.
 */
import { lacking } from "../test/probes.ts";
import { startBird } from "../test/live/bird.ts";
import { onLoopback } from "../test/live/place.ts";
import type { RouterPlan } from "../test/live/router.ts";
import { openSink } from "./sink.ts";
import { median, print, SINK_AS } from "./subject.ts";

const ROUNDS = 50;
/** Not the daemon's own address: it does not peer with itself. */
const SINK_ADDRESS = "127.0.0.2";

const planFor = (port: number, count: number): RouterPlan => ({
  asn: 64512,
  routerId: "192.0.2.1",
  port: 17_900,
  networks: Array.from({ length: count }, (_, i) => `198.18.${i}.0/24`),
  neighbours: [
    {
      name: "sink",
      address: SINK_ADDRESS,
      localAddress: "127.0.0.1",
      port,
      asn: SINK_AS,
      multihop: 4,
      families: ["ipv4"],
    },
  ],
});

const absent = lacking("bird");
if (absent === undefined) await measure();
else console.log(`bird is not measured: ${absent}`);

async function measure(): Promise<void> {
  await using place = onLoopback();
  const sink = await openSink(SINK_AS, 0, SINK_ADDRESS);
  await using bird = await startBird(place, planFor(sink.port, 1));
  await sink.reaches(1);
  const spent: number[] = [];
  for (let count = 2; count < ROUNDS + 2; count += 1) {
    const arrival = sink.reaches(sink.announced() + 1);
    const start = performance.now();
    const [at] = await Promise.all([arrival, bird.reconfigure(planFor(sink.port, count))]);
    spent.push(at - start);
  }
  sink.close();
  const figures = [median(spent), Math.min(...spent), Math.max(...spent)];
  print(
    ["by", "p50 ms", "lowest", "highest"],
    [["bird socket", ...figures.map((one) => one.toFixed(2))]],
  );
}
