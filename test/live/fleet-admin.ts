/**
 * What an operator of the NATS server may do to a fleet's streams, as a program of a node: make, delete, purge, list, and
 * take single messages out.
 *
 * Speaks the client's own API and nothing of the agent's, so that a test sees what is really there. Read next: fleet-stage.ts.
 */
import { jetstreamManager } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { connect } from "@nats-io/transport-node";

const [url = "", action = "", name = "", filter] = process.argv.slice(2);
const connection = await connect({ servers: url });
const manager = await jetstreamManager(connection);

async function make(fleet: string): Promise<void> {
  const host = `rutter.${fleet}.host.*`;
  const subjects = [`${host}.audit.*`, `${host}.checkpoint`, `${host}.dead`];
  await manager.streams.add({ name: `rutter-${fleet}-audit`, subjects, allow_direct: true });
  const feed = `rutter-${fleet}-feed`;
  const feeds = await manager.streams.names(`rutter.${fleet}.feed.change`).next();
  if (!feeds.includes(feed)) {
    await manager.streams.add({
      name: feed,
      subjects: [`rutter.${fleet}.feed.*`],
      allow_direct: true,
    });
  }
  const buckets = new Kvm(connection);
  await buckets.create(`rutter-${fleet}-status`, { history: 1 });
  await buckets.create(`rutter-${fleet}-readers`, { history: 1 });
}

/** One message a line: sequence, subject, headers, body in base64. */
async function list(stream: string): Promise<void> {
  const { state } = await manager.streams.info(stream);
  for (let seq = state.first_seq; seq <= state.last_seq; seq += 1) {
    const message = await manager.streams.getMessage(stream, { seq }).catch(() => null);
    if (message === null) continue;
    const { header, subject, data, seq: sequence } = message;
    const headers = Object.fromEntries(header.keys().map((key) => [key, header.get(key)]));
    const body = Buffer.from(data).toString("base64");
    process.stdout.write(`${JSON.stringify({ sequence, subject, headers, body })}\n`);
  }
}

if (action === "make") await make(name);
else if (action === "delete") await manager.streams.delete(name);
else if (action === "purge") {
  await manager.streams.purge(name, filter === undefined ? undefined : { filter });
} else if (action === "purge-below") {
  await manager.streams.purge(name, { seq: Number(filter) });
} else if (action === "take") {
  for (const seq of (filter ?? "").split(","))
    await manager.streams.deleteMessage(name, Number(seq));
} else if (action === "list") await list(name);
else throw new Error(`unknown: ${action}`);
await connection.close();
