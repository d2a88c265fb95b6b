/**
 * The speakers of this host as one: for whoever asks of sessions and routes, or says something of a path, and not whose they are.
 *
 * Decides nothing; a host with one speaker is the same thing with a list of one. Reads next: backend-start.ts (who opens them),
 * ../pipeline/speakers.ts (what each is told).
 */
import {
  BackendError,
  type Capabilities,
  type ShownRoute,
  type SpeakerBackend,
  type SpeakerBfdSessions,
} from "../../backends/backend.ts";
import type { DaemonStatus } from "../../backends/daemons.ts";
import type { BackendName } from "../../backends/intent.ts";
import type { NeighborKey } from "../../events/ids.ts";

/** The first one has every peer that no PeerBackend gives away. */
export type AllSpeakers = readonly [SpeakerBackend, ...SpeakerBackend[]];

export type Speakers = Pick<
  SpeakerBackend,
  "name" | "path" | "watch" | "sessions" | "bfd" | "runningConfig"
> & {
  readonly all: AllSpeakers;
  /** Of those beside the first. */
  readonly besides: readonly BackendName[];
  /** Of all neighbours: who does not answer is left out until the others have said all, and then the walk rejects. */
  routes(direction: "received" | "advertised", neighbor?: NeighborKey): AsyncIterable<ShownRoute>;
  /** Daemons beside the agent that speak for it. */
  daemons(): readonly DaemonStatus[];
  /** What one of them lacks. */
  missing(): Capabilities["missing"];
  /** Why connections of peers can't be taken. */
  listenProblem(): string | undefined;
  close(mode: (speaker: BackendName) => "graceful" | "final"): Promise<void>;
};

export function speakersOf(all: AllSpeakers): Speakers {
  const [first, ...others] = all;
  const bfd = bfdOf(all);
  const { runningConfig } = all.find((one) => one.runningConfig !== undefined) ?? {};
  return {
    name: first.name,
    besides: others.map(({ name }) => name),
    all,
    sessions: () => all.flatMap((one) => one.sessions()),
    path(neighbor, state) {
      // Whoever has it, or will: the others remember it and do nothing.
      for (const one of all) one.path(neighbor, state);
    },
    watch: (listener) => together(all.map((one) => one.watch(listener))),
    routes: (direction, neighbor) => walk(all, direction, neighbor),
    ...(bfd === undefined ? {} : { bfd }),
    ...(runningConfig === undefined ? {} : { runningConfig }),
    daemons: () => all.flatMap((one) => one.daemons?.all() ?? []),
    missing: () => new Map(all.flatMap(({ capabilities }) => [...capabilities.missing])),
    listenProblem: () => all.map((one) => one.listenProblem?.()).find(isSaid),
    async close(mode) {
      await Promise.all(all.map((one) => one.close(mode(one.name))));
    },
  };
}

const isSaid = (text: string | undefined): text is string => text !== undefined;

async function* walk(
  all: AllSpeakers,
  direction: "received" | "advertised",
  neighbor: NeighborKey | undefined,
): AsyncGenerator<ShownRoute> {
  const asked =
    neighbor === undefined
      ? all
      : all.filter((one) => one.sessions().some((session) => session.neighbor === neighbor));
  let failed: BackendError | undefined;
  for (const one of asked) {
    try {
      yield* one.routes(direction, neighbor);
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      failed ??= error;
    }
  }
  if (failed !== undefined) throw failed;
}

function bfdOf(all: AllSpeakers): SpeakerBfdSessions | undefined {
  const daemons = all.flatMap(({ bfd }) => bfd ?? []);
  if (daemons.length === 0) return undefined;
  return {
    all: () => daemons.flatMap((one) => one.all()),
    watch: (listener) => together(daemons.map((one) => one.watch(listener))),
    problems: () => daemons.flatMap((one) => one.problems()),
  };
}

const together =
  (stops: readonly (() => void)[]): (() => void) =>
  () => {
    for (const stop of stops) stop();
  };
