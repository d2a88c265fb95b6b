/**
 * The FRR backend alone, run as a program in a node: what bgpd tells by itself it tells on the node's own loopback address.
 *
 * Arguments: where the daemons' sockets are, our AS, the peers' AS, and the peers (`address` or `address,our address`). Prints a line
 * of JSON for each news of a session. SIGTERM takes everything back, SIGINT leaves it. Read next: frr-bmp.live.test.ts.
 */
import { systemClock } from "../../backends/clock.ts";
import { openFrr, probeFrr } from "../../backends/frr/open-frr.ts";
import { address } from "../../events/address.ts";
import { asn } from "../../events/ids.ts";
import { neighbor, router, speaker } from "../frr/intents.ts";

export type Line = {
  readonly atMillis: number;
  readonly neighbor: string;
  readonly state: string;
  readonly reason: string;
};

const [, , directory = "", localAs = "", peerAs = "", ...peers] = process.argv;
const toStderr = (fields: object, message: string): void => {
  process.stderr.write(`${message} ${JSON.stringify(fields)}\n`);
};
const place = { vtyDirectory: directory, pathspace: "", bfd: "auto" } as const;
const facts = await probeFrr({ ...place, clock: systemClock });
const backend = openFrr({
  ...place,
  clock: systemClock,
  logger: { info: toStderr, warn: toStderr, error: toStderr },
  reveal: () => undefined,
  facts,
  ours: new Set(),
  takeOver: "none",
});
backend.watch((fact) => {
  if (fact.type !== "session") return;
  const { state, reason } = fact.status;
  const line: Line = { atMillis: Date.now(), neighbor: fact.neighbor, state, reason };
  process.stdout.write(`${JSON.stringify(line)}\n`);
});
const neighbors = peers.map((peer) => {
  const [remote = "", own] = peer.split(",");
  return neighbor(remote, {
    remoteAs: { type: "asn", asn: asn(Number(peerAs)) },
    localAddress: own === undefined ? undefined : address(own),
    connectRetrySeconds: 1,
  });
});
const intent = speaker([router(neighbors, { localAs: asn(Number(localAs)) })]);
const { refused = [] } = await backend.apply(intent, new AbortController().signal);
for (const one of refused) toStderr(one, "refused");

const end = (mode: "final" | "graceful") => async () => {
  await backend.close(mode);
  process.exit();
};
process.once("SIGTERM", () => void end("final")());
process.once("SIGINT", () => void end("graceful")());
process.stdout.write(`{"ready":${refused.length === 0}}\n`);
