/**
 * The native speaker alone, run as a program in a node: asked over HTTP on a Unix socket, for what manifests cannot say.
 *
 * Arguments: the socket's path, then where to listen (`address:port` each). It keeps what bestPaths() tells, as a kernel would.
 * Read next: speaker.ts (how tests talk to it).
 */
import { createServer } from "node:http";
import { flushCompileCache } from "node:module";
import { systemClock } from "../../backends/clock.ts";
import { createNativeBackend } from "../../backends/native/native-backend.ts";
import type { OwnRoute, SpeakerIntent } from "../../backends/intent.ts";
import { address } from "../../events/address.ts";
import { PersistentMap } from "../../events/persistent-map.ts";
import type { Prefix } from "../../events/prefix.ts";
import { createTold, type Told } from "../rib/told.ts";
import type { SpeakerView } from "./speaker.ts";

const [, , path = "", ...listen] = process.argv;

const speaker = createNativeBackend({
  clock: systemClock,
  logger: { info: log, warn: log, error: log },
  // A test's secret is no secret: its name is its value.
  reveal: ({ name }) => name,
  restart: { restarting: false, forwardingPreserved: false },
  listen: listen.map((at) => {
    const colon = at.lastIndexOf(":");
    return { address: address(at.slice(0, colon)), port: Number(at.slice(colon + 1)) };
  }),
});
const told = new Map<string, Told>();
speaker.bestPaths((one) => {
  const ofVrf = told.get(one.vrf) ?? createTold();
  told.set(one.vrf, ofVrf);
  ofVrf.take(one);
});

function log(fields: object, message: string): void {
  process.stderr.write(`${message} ${JSON.stringify(fields)}\n`);
}

const view = (): SpeakerView => ({
  sessions: [...speaker.sessions()],
  best: [...told].flatMap(([vrf, { routes }]) =>
    [...routes].map(([prefix, { paths }]) => ({ vrf, prefix, paths })),
  ),
  complete: [...told.values()].flatMap(({ complete }) => complete),
  capabilities: [...speaker.capabilities.has],
  listenProblem: speaker.listenProblem() ?? "",
});

async function apply(text: string): Promise<object> {
  const { routers } = JSON.parse(text) as SpeakerIntent;
  const routes = PersistentMap.empty<Prefix, OwnRoute>();
  const intent: SpeakerIntent = {
    routers: routers.map((one) => ({ ...one, routes })),
    raw: [],
  };
  return speaker.apply(intent, new AbortController().signal);
}

createServer((request, response) => {
  let body = "";
  request.setEncoding("utf8").on("data", (part: string) => {
    body += part;
  });
  request.on("end", () => {
    const answer =
      request.url === "/apply"
        ? apply(body)
        : request.url === "/routes"
          ? Array.fromAsync(speaker.routes("received"))
          : Promise.resolve(view());
    void answer.then((value) => response.end(JSON.stringify(value)));
  });
}).listen(path, () => {
  process.stdout.write("ready\n");
  // It is killed in the end.
  flushCompileCache();
});
