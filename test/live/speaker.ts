/**
 * The native speaker in a node, behind the seam: intents go in, sessions, routes and best paths come out.
 *
 * For what an agent's manifests cannot say; what they can is tested through the agent.
 * Read next: speaker-process.ts (the program), receive.live.test.ts.
 */
import { request } from "node:http";
import { join } from "node:path";
import type { SessionStatus, ShownRoute } from "../../backends/backend.ts";
import type { Path } from "../../backends/best-paths.ts";
import type { NeighborIntent } from "../../backends/intent.ts";
import { type Address, address } from "../../events/address.ts";
import { type NeighborKey, neighborKey } from "../../events/ids.ts";
import type { Node } from "./netns.ts";
import { until } from "./until.ts";

const PROGRAM = join(import.meta.dirname, "speaker-process.ts");

export type SpeakerView = {
  readonly sessions: readonly SessionStatus[];
  readonly best: readonly {
    readonly vrf: string;
    readonly prefix: string;
    readonly paths: readonly Path[];
  }[];
  readonly complete: readonly string[];
  readonly capabilities: readonly string[];
  readonly listenProblem: string;
};

/** A router without own routes. */
export type SpokenRouter = {
  readonly vrf?: string;
  readonly localAs: number;
  readonly routerId: string;
  readonly neighbors: readonly NeighborIntent[];
};

export type Speaker = AsyncDisposable & {
  apply(...routers: readonly SpokenRouter[]): Promise<void>;
  view(): Promise<SpeakerView>;
  received(): Promise<readonly ShownRoute[]>;
  /** As `prefix: next hop next hop …`, sorted. */
  best(): Promise<readonly string[]>;
  session(key: NeighborKey): Promise<SessionStatus>;
  explain(): Promise<string>;
};

export async function startSpeaker(node: Node, listen: readonly string[] = []): Promise<Speaker> {
  const socket = join(node.directory, "speaker.sock");
  const daemon = await node.start([process.execPath, PROGRAM, socket, ...listen]);
  await until(() => daemon.stdout().includes("ready") || !daemon.running(), {
    what: "the speaker",
  });
  if (!daemon.running()) throw new Error(daemon.stderr());
  const view = async (): Promise<SpeakerView> => JSON.parse(await ask(socket, "/view"));
  return {
    async apply(...routers) {
      const whole = routers.map((one) => ({
        vrf: "",
        ...one,
        key: `${one.vrf ?? ""}|${one.localAs}|${one.routerId}`,
      }));
      await ask(socket, "/apply", JSON.stringify({ routers: whole }));
    },
    view,
    received: async () => JSON.parse(await ask(socket, "/routes")),
    best: async () =>
      (await view()).best
        .map(({ prefix, paths }) => `${prefix}: ${paths.map(({ nextHop }) => nextHop).join(" ")}`)
        .toSorted(),
    session: async (key) => {
      const found = (await view()).sessions.find(({ neighbor }) => neighbor === key);
      if (found === undefined) throw new Error(`no session ${key}`);
      return found;
    },
    explain: async () => `${JSON.stringify(await view(), undefined, 1)}\n${daemon.stderr()}`,
    async [Symbol.asyncDispose]() {
      await daemon.stop();
    },
  };
}

/** Everything that is not said is ordinary. */
export const spokenNeighbor = (
  remote: string,
  { vrf = "", ...given }: Partial<NeighborIntent> & { readonly vrf?: string } = {},
): NeighborIntent => ({
  key: neighborKey(vrf, remote, ""),
  name: `${vrf}${remote}`,
  backend: "native",
  remoteAs: { type: "external" },
  remote: { type: "address", address: address(remote), port: 179 },
  localAddress: undefined,
  localAsOverride: undefined,
  holdTimeSeconds: 90,
  keepaliveTimeSeconds: 30,
  connectRetrySeconds: 1,
  timeToLive: 1,
  authentication: undefined,
  families: ["ipv4", "ipv6"] as const,
  carriesEvpn: false,
  gracefulRestart: undefined,
  waitsForBfd: false,
  speakerBfd: undefined,
  receiveGuard: undefined,
  receive: { type: "everything" },
  provenance: [],
  ...given,
});

export const keyOf = (remote: Address | string, vrf = ""): NeighborKey =>
  neighborKey(vrf, remote, "");

function ask(socketPath: string, path: string, body?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path, method: body === undefined ? "GET" : "POST" });
    asked.on("error", reject);
    asked.on("response", (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      response.on("end", () => resolve(text));
    });
    asked.end(body);
  });
}
