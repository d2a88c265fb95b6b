/**
 * Where one group's scenarios are played on one backend: the network, the routers, the speaker and the agent, started once.
 *
 * It does what actions say and gives what is there to see; it judges nothing.
 * Read next: play.ts.
 */
import { type Agent, startAgent } from "../live/agent.ts";
import { type Api, apiOf } from "../live/api.ts";
import { startBird } from "../live/bird.ts";
import { startFrr } from "../live/frr.ts";
import { makeNetwork, type Node } from "../live/netns.ts";
import { ALWAYS } from "../live/manifests.ts";
import type { Router, RouterPlan } from "../live/router.ts";
import { until } from "../live/until.ts";
import type { Need } from "./capabilities.ts";
import {
  type AgentSays,
  farAt,
  farsOf,
  type HeldBy,
  heldOf,
  type SessionHeld,
  sessionSeen,
} from "./expected.ts";
import { type Manifest, nameOf, textOf } from "./manifests.ts";
import type { Action, Group } from "./scenario.ts";
import {
  hostAddress,
  needsOf,
  neighbourOf,
  peerName,
  peerOf,
  remoteAddress,
  type Session,
} from "./session.ts";
import type { Backend, Speaker } from "./speakers.ts";
import { AS_OF, type FarName, NODE_NAMES, prepareLanes, type World } from "./world.ts";

/** Two processors run five routers, a speaker and an agent, beside another file of tests. */
export const PATIENCE_MS = 90_000;

type Shown = { readonly prefix: string; readonly peer: string; readonly accepted: boolean };
type Peer = AgentSays & { readonly name: string; readonly address: string | null };

export type Stage = AsyncDisposable & {
  /** With those of its sessions that the backend can open. */
  readonly group: Group;
  has(need: Need): boolean;
  act(action: Action): Promise<void>;
  held(): Promise<HeldBy>;
  /** Of each router asked for, what the agent accepted of it. */
  accepted(fars: readonly FarName[]): Promise<Readonly<Partial<Record<FarName, string[]>>>>;
  installed(): Promise<readonly string[]>;
  /** Prefixes at one router or in the host's kernel, as it says right now. */
  prefixesAt(place: FarName | "kernel"): Promise<ReadonlySet<string>>;
  session(session: Session): Promise<SessionHeld>;
  /** How often each session went down, by name, as the routers count it. */
  ends(): Promise<Readonly<Record<string, number>>>;
  /** Fields that the agent says it does not carry. */
  notCarried(manifests: readonly Manifest[]): Promise<readonly string[]>;
  explain(): Promise<string>;
};

const planOf = (group: Group, far: FarName, { nodes }: World): RouterPlan => ({
  asn: AS_OF[far],
  routerId: nodes[far].ipv4,
  networks: group.networks[far] ?? [],
  neighbours: group.sessions.filter((one) => one.far === far).map(neighbourOf),
});

/** One that is back from a restart says so, if its routes are kept meanwhile (RFC 4724 §4.1); FRR needs no telling. */
function startRouter(group: Group, far: FarName, world: World, isBack = false): Promise<Router> {
  const plan = planOf(group, far, world);
  if (far.startsWith("frr")) return startFrr(world.nodes[far], plan);
  const keeps = group.sessions.some((one) => one.far === far && one.gracefulRestart === true);
  return startBird(world.nodes[far], plan, { recovers: isBack && keeps });
}

/** One after the other: a daemon's socket takes few callers at a time. */
export async function inTurn<From, To>(
  items: readonly From[],
  ask: (item: From) => Promise<To>,
): Promise<readonly To[]> {
  const answers: To[] = [];
  for (const item of items) answers.push(await ask(item));
  return answers;
}

/** Learned routes in the main table. */
async function installedOn(
  host: Node,
  { installsAs }: Pick<Speaker, "installsAs">,
): Promise<readonly string[]> {
  const shown = await inTurn(["-4", "-6"], (family) =>
    host.ip(family, "route", "show", "proto", installsAs),
  );
  const lines = shown.flatMap((text) => text.split("\n")).filter((line) => /^\w/.test(line));
  return lines.map((line) => line.split(" ")[0] ?? "").toSorted();
}

/** Starts everything, and returns when all sessions are up. */
export async function openStage(backend: Backend, group: Group): Promise<Stage> {
  const world = await makeNetwork(NODE_NAMES);
  try {
    return await playedIn(world, backend, group);
  } catch (error) {
    await world[Symbol.asyncDispose]();
    throw error;
  }
}

async function playedIn(world: World, backend: Backend, given: Group): Promise<Stage> {
  const { host } = world.nodes;
  for (const line of given.prepared) await host.ip(...line);
  const speaker = await backend.start(host);
  const has = (need: Need): boolean =>
    need === "own-process" ? speaker.restart !== undefined : speaker.capabilities.has.has(need);
  const sessions = given.sessions.filter((session) => needsOf(session).every(has));
  const group: Group = { ...given, sessions };
  await prepareLanes(world, [...new Set(group.sessions.map(({ lane }) => lane))]);
  const fars = farsOf(group.sessions);
  const started = fars.map(async (far) => [far, await startRouter(group, far, world)] as const);
  const routers = new Map(await Promise.all(started));
  let agent: Agent = await startAgent(host, {
    config: `${ALWAYS}${group.config}${speaker.config}`,
    args: speaker.agentArguments,
  });
  const api: Api = apiOf(agent.socket);

  const routerOf = (far: FarName): Router => {
    const router = routers.get(far);
    if (router === undefined) throw new Error(`no router ${far}`);
    return router;
  };
  const viewOf = (session: Session) => routerOf(session.far).session(hostAddress(session));
  const explain = async (): Promise<string> =>
    [
      ...(await Promise.all([...routers.values()].map((one) => one.explain()))),
      await agent.explain(),
      (await api.ask("GET", "/v1/routes/kernel")).body,
      (await api.ask("GET", "/v1/routes/received")).body,
    ].join("\n");
  const mustPost = async (path: string, body: object): Promise<string> => {
    const answer = await api.ask("POST", path, body);
    if (answer.status === 200) return answer.body;
    throw new Error(`${path} is answered ${answer.status}: ${answer.body}`);
  };
  const files = (manifests: readonly Manifest[]) => ({
    files: [{ name: "contract", text: textOf(manifests) }],
  });

  const act = async (action: Action): Promise<void> => {
    switch (action.type) {
      case "apply":
        return void (await mustPost("/v1/apply", files(action.manifests)));
      case "delete":
        return void (await mustPost("/v1/delete", { names: action.manifests.map(nameOf) }));
      case "ip":
        return void (await host.ip(...action.arguments));
      case "restart-agent":
        agent = await agent.restart();
        return undefined;
      case "restart-speaker":
        return speaker.restart?.();
      case "restart-router":
        await routerOf(action.far).stop("SIGKILL");
        routers.set(action.far, await startRouter(group, action.far, world, true));
    }
  };

  await act({ type: "apply", manifests: [...group.sessions.map(peerOf), ...group.manifests] });
  const allUp = async () => {
    const views = await inTurn(group.sessions, viewOf);
    const down = group.sessions.filter((_, i) => views[i]?.established !== true).map(peerName);
    if (down.length > 0) throw new Error(`down: ${down.join(", ")}`);
    return true;
  };
  await until(allUp, { what: "all sessions", timeoutMs: PATIENCE_MS, everyMs: 100, explain });

  return {
    group,
    has,
    act,
    held: async () => {
      const tables = fars.map(async (far) => [far, heldOf(await routerOf(far).routes())] as const);
      return Object.fromEntries(await Promise.all(tables));
    },
    accepted: async (asked) => {
      const peers = await api.get<readonly Peer[]>("/v1/peers");
      const answer = await api.ask("GET", "/v1/routes/received");
      // While a speaker beside the agent is restarted, nobody can say.
      if (answer.status === 503) return {};
      if (answer.status !== 200) throw new Error(`routes received: ${answer.body}`);
      const routes: readonly Shown[] = JSON.parse(answer.body);
      const farOf = (name: string) => {
        const peer = peers.find((one) => one.name === name);
        return farAt(group.sessions, peer?.address ?? null);
      };
      const of = (far: FarName) =>
        routes.filter((one) => one.accepted && farOf(one.peer) === far).map((one) => one.prefix);
      return Object.fromEntries(asked.map((far) => [far, of(far).toSorted()]));
    },
    installed: () => installedOn(host, speaker),
    prefixesAt: async (place) =>
      new Set(
        place === "kernel"
          ? await installedOn(host, speaker)
          : (await routerOf(place).routes()).map(({ prefix }) => prefix),
      ),
    session: async (session) => {
      const peers = await api.get<readonly Peer[]>("/v1/peers");
      const peer = peers.find(({ address }) => address === remoteAddress(session));
      if (peer === undefined) throw new Error(`the agent has no peer ${peerName(session)}`);
      return sessionSeen(session, await viewOf(session), peer);
    },
    ends: async () => {
      const counted = await inTurn(
        group.sessions,
        async (session) => [peerName(session), (await viewOf(session)).timesLost] as const,
      );
      return Object.fromEntries(counted);
    },
    notCarried: async (manifests) => {
      const answer = await mustPost("/v1/plan", files(manifests));
      const plan: { readonly notCarried: readonly { readonly field: string }[] } =
        JSON.parse(answer);
      return plan.notCarried.map(({ field }) => field);
    },
    explain,
    [Symbol.asyncDispose]: async () => {
      await agent[Symbol.asyncDispose]();
      await speaker.stop();
      await world[Symbol.asyncDispose]();
    },
  };
}
