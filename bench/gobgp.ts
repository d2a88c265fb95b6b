/**
 * One prefix to the wire through gobgpd: `node bench/gobgp.ts`: our backend, bare gRPC, and the `gobgp` command, in turns.
 *
 * From the change until the UPDATE is at a peer, against the same gobgpd; ratios are of rounds beside each other, with their
 * spread, because a busy machine moves all three. Then an apply of 10,000 prefixes, by markers as the backend does it and by
 * prefix sets, the other way to tell classes apart. In a namespace of its own.
 */
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../backends/clock.ts";
import { createGobgpBackend } from "../backends/gobgp/gobgp-backend.ts";
import { openClient } from "../backends/gobgp/io/client.ts";
import { ownPath } from "../backends/gobgp/render/paths.ts";
import type { OwnRoute } from "../backends/intent.ts";
import { address } from "../events/address.ts";
import { asn } from "../events/ids.ts";
import { type Prefix, prefix } from "../events/prefix.ts";
import { intentOf, never, plainly } from "../test/live/gobgpd.ts";
import { keyOf, spokenNeighbor } from "../test/live/speaker.ts";
import { until } from "../test/live/until.ts";
import { alone } from "./alone.ts";
import { openSink } from "./sink.ts";
import { median, print, type Row, SINK_AS } from "./subject.ts";

const ROUNDS = 100;
const WARM_UP = 10;
const MANY = 10_000;

alone();
const directory = mkdtempSync(join(tmpdir(), "rutter-bench-"));
const socket = join(directory, "gobgpd.sock");
const at = { address: `unix:${socket}`, tls: undefined };
const gobgpd = spawn("gobgpd", ["--api-hosts", `unix://${socket}`, "--pprof-disable"], {
  stdio: "ignore",
});
const quiet = (): void => undefined;
const sink = await openSink(SINK_AS);
const client = openClient(at);
const backend = createGobgpBackend({
  clock: systemClock,
  logger: { info: quiet, warn: quiet, error: quiet },
  reveal: () => undefined,
  restart: { restarting: false, forwardingPreserved: false },
  listen: [],
  gobgpd: at,
  takeOver: "none",
  supervise: undefined,
});
try {
  await until(() => client.dialect(), { what: "gobgpd" });
  const neighbor = spokenNeighbor("127.0.0.1", {
    backend: "gobgp",
    remoteAs: { type: "asn", asn: asn(SINK_AS) },
    remote: { type: "address", address: address("127.0.0.1"), port: sink.port },
    families: ["ipv4"],
    receive: { type: "nothing" },
  });
  const exports: OwnRoute["exports"] = [{ to: [keyOf("127.0.0.1")], attributes: plainly }];
  let intent = intentOf({ neighbors: [neighbor], routes: { "198.18.0.0/32": exports } });
  const withOne = (text: Prefix): void => {
    const [router] = intent.routers;
    if (router === undefined) throw new Error("no router");
    const routes = router.routes.set(text, { prefix: text, exports, provenance: [] });
    intent = { ...intent, routers: [{ ...router, routes }] };
  };
  await backend.apply(intent, never());
  await sink.reaches(1);

  const ways: Readonly<Record<string, (text: Prefix) => unknown>> = {
    backend(text) {
      withOne(text);
      return backend.apply(intent, never());
    },
    // The same path as the backend tells it, with nothing around the call.
    "bare gRPC": (text) => client.addPaths([[ownPath(text, 1)]]),
    // With the marker of our class, for the policy tells our peer nothing else.
    "gobgp CLI": (text) =>
      execFileSync("gobgp", [
        "--target",
        `unix://${socket}`,
        "global",
        "rib",
        "add",
        text,
        "large-community",
        "4294967295:21109:1",
      ]),
  };
  const spent = new Map(Object.keys(ways).map((name) => [name, [] as number[]]));
  let next = 1;
  const measure = async (): Promise<void> => {
    for (let round = 0; round < WARM_UP + ROUNDS; round += 1) {
      for (const [name, change] of Object.entries(ways)) {
        const text = prefix(`198.${18 + (next >> 16)}.${(next >> 8) & 255}.${next & 255}/32`);
        next += 1;
        const arrival = sink.reaches(sink.announced() + 1);
        const from = performance.now();
        await change(text);
        const took = (await arrival) - from;
        if (round >= WARM_UP) spent.get(name)?.push(took);
      }
    }
  };
  const rowsOf = (held: number): Row[] => {
    const bare = [...(spent.get("bare gRPC") ?? [])];
    return [...spent].map(([name, values]) => {
      const ratios = values
        .map((value, round) => value / (bare[round] ?? value))
        .toSorted((a, b) => a - b);
      const part = (list: readonly number[], share: number): string =>
        (list[Math.floor(share * (list.length - 1))] ?? 0).toFixed(2);
      const sorted = values.toSorted((a, b) => a - b);
      values.length = 0;
      return [
        name,
        held,
        part(sorted, 0.5),
        part(sorted, 0.99),
        part(ratios, 0.5),
        part(ratios, 0.1),
        part(ratios, 0.9),
      ];
    });
  };
  await measure();
  const few = rowsOf(1);

  const starting = performance.now();
  const told = sink.reaches(sink.announced() + MANY);
  for (let index = 0; index < MANY; index += 1) {
    withOne(prefix(`10.0.${index >> 8}.${index & 255}/32`));
  }
  const applying = performance.now();
  await backend.apply(intent, never());
  const applied = performance.now();
  const arrived = await told;
  await measure();
  print(["by", "held", "p50 ms", "p99 ms", "to bare p50", "p10", "p90"], [...few, ...rowsOf(MANY)]);
  print(
    ["10,000", "intent ms", "apply ms", "at peer ms"],
    [
      [
        "backend",
        ...[applying - starting, applied - applying, arrived - applying].map((ms) => ms.toFixed(0)),
      ],
    ],
  );
  const set = (from: number, count: number) => ({
    defined_set: {
      defined_type: 0,
      name: "bench",
      list: [],
      prefixes: Array.from({ length: count }, (_, i) => ({
        ip_prefix: `11.0.${(from + i) >> 8}.${(from + i) & 255}/32`,
        mask_length_min: 32,
        mask_length_max: 32,
      })),
    },
  });
  const timed = async (act: () => Promise<unknown>): Promise<number> => {
    const from = performance.now();
    await act();
    return performance.now() - from;
  };
  const many = await timed(() => client.call("AddDefinedSet", set(0, MANY)));
  const ones: number[] = [];
  for (let i = 0; i < ROUNDS; i += 1)
    ones.push(await timed(() => client.call("AddDefinedSet", set(MANY + i, 1))));
  const gone: number[] = [];
  for (let i = 0; i < ROUNDS; i += 1) {
    gone.push(
      await timed(() => client.call("DeleteDefinedSet", { ...set(MANY + i, 1), all: false })),
    );
  }
  print(
    ["prefix set", "10,000 ms", "one more", "one less"],
    [["", many.toFixed(0), median(ones).toFixed(2), median(gone).toFixed(2)]],
  );
} finally {
  await backend.close("graceful");
  client.close();
  sink.close();
  gobgpd.kill("SIGKILL");
  rmSync(directory, { recursive: true, force: true });
}
