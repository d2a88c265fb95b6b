/**
 * kill -9 at any instant, again and again, while Services come and go: nothing that was answered is lost, nothing is there
 * twice, the chain holds, and the router's table ends as what the log says.
 *
 * The instants are drawn from a seed that a failure prints; RUTTER_SEED plays one again.
 */
import { createHash } from "node:crypto";
import { beforeEach, expect, test } from "vitest";
import { skipUnless } from "../probe.ts";
import { type Agent, startAgent } from "./agent.ts";
import { type Api, apiOf } from "./api.ts";
import { startBird } from "./bird.ts";
import {
  advertisementManifest,
  ALWAYS,
  documents,
  peerManifest,
  poolManifest,
  serviceManifest,
} from "./manifests.ts";
import { makeNetwork } from "./netns.ts";
import { pause, until } from "./until.ts";

beforeEach(skipUnless("netns", "bird"));

const HOST_AS = 64512;
const KILLS = 12;
const SERVICES = 40;
/** An agent lives at most this long from `ready` on; some lives see one change, some a hundred. */
const LIFE_MS = 600;
const PATIENCE_MS = 60_000;

/** mulberry32: small, and the same everywhere. */
function drawn(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What each Service is known to be: the answer counts; a change that was cut off may have happened or not. */
type Known = "there" | "gone" | "either";
type Book = { readonly known: Map<string, Known>; answered: number };

const addressOf = (name: string): string => `203.0.113.${name.slice(1)}`;
const manifest = (name: string): string =>
  serviceManifest(name, { loadBalancerIP: addressOf(name) });

/** One change after the other until the agent is gone. */
async function churn(api: Api, random: () => number, book: Book): Promise<void> {
  for (;;) {
    const name = `s${Math.floor(random() * SERVICES)}`;
    const wanted = book.known.get(name) === "there" ? "gone" : "there";
    book.known.set(name, "either");
    try {
      const status =
        wanted === "there" ? await api.apply(manifest(name)) : await api.deleteService(name);
      expect(status, `${wanted} ${name}`).toBe(200);
    } catch (error) {
      if (error instanceof Error && error.name === "AssertionError") throw error;
      return;
    }
    book.known.set(name, wanted);
    book.answered += 1;
  }
}

type Resource = { readonly metadata: { readonly name: string } };
const digest = (text: string): string => createHash("sha256").update(text).digest("hex");

/** Digest of the Services as they were at a seq, as the API prints them. */
const servicesAt = async (api: Api, seq: number): Promise<string> =>
  digest(JSON.stringify(await api.get(`/v1/at/resources/all?at=${seq}`)));

const names = async (api: Api): Promise<string[]> =>
  (await api.get<Resource[]>("/v1/resources/service"))
    .map(({ metadata }) => metadata.name)
    .toSorted();

test(
  `${KILLS} times kill -9 under churn loses nothing that was answered`,
  { timeout: 180_000 },
  async () => {
    const seed = Number(process.env["RUTTER_SEED"] ?? Date.now() % 2 ** 32);
    const random = drawn(seed);
    const told = (what: string) => `${what} (RUTTER_SEED=${seed})`;
    await using network = await makeNetwork(["host", "router"]);
    const { host, router: far } = network.nodes;
    await using router = await startBird(far, {
      asn: 64999,
      routerId: far.ipv4,
      neighbours: [{ name: "host", address: host.ipv4, asn: HOST_AS, gracefulRestart: true }],
    });
    const base = documents(
      poolManifest(["203.0.113.0/24"]),
      peerManifest({ localAs: HOST_AS, remoteAs: 64999, address: far.ipv4, gracefulRestart: true }),
      advertisementManifest(),
    );
    let agent: Agent = await startAgent(host, { config: ALWAYS });
    expect(await agent.apply(base)).toMatchObject({ code: 0 });
    const book: Book = { known: new Map(), answered: 0 };
    const before = new Map<number, string>();

    for (let kill = 0; kill < KILLS; kill += 1) {
      const api = apiOf(agent.socket);
      const { logSeq } = await api.get<{ logSeq: number }>("/v1/status");
      before.set(logSeq, await servicesAt(api, logSeq));
      const life = random() * LIFE_MS;
      const changes = churn(api, random, book);
      // The instant itself, not something awaited: any instant must do.
      await pause(life);
      await agent.kill();
      await changes;
      agent = await agent.restart();
      const there = new Set(await names(apiOf(agent.socket)));
      const lost = [...book.known].filter(
        ([name, known]) => known !== "either" && there.has(name) !== (known === "there"),
      );
      expect(lost, told("answered, and not so after the restart")).toEqual([]);
      for (const name of book.known.keys()) {
        book.known.set(name, there.has(name) ? "there" : "gone");
      }
    }

    const api = apiOf(agent.socket);
    const wanted = (await names(api)).map((name) => `${addressOf(name)}/32`).toSorted();
    await until(
      async () => {
        const routes = await router.routes();
        const prefixes = routes.map(({ prefix }) => prefix).toSorted();
        return prefixes.join() === wanted.join() && routes.every(({ stale }) => !stale);
      },
      {
        what: told("the log's Services in the router's table"),
        explain: () => router.explain(),
        timeoutMs: PATIENCE_MS,
      },
    );
    expect(book.answered, told("changes answered")).toBeGreaterThan(KILLS);
    expect(await agent.rutter("log", "verify"), told("verify")).toMatchObject({ code: 0 });
    for (const [seq, was] of before)
      expect(await servicesAt(api, seq), told(`at ${seq}`)).toBe(was);
    await agent.stop();
  },
);
