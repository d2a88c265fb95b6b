/**
 * Waits for something in the real world to become true, and says well what did not.
 *
 * Live tests wait on routers that keep their own time; this is the one place where they do. It never swallows the last
 * answer: a failure names what was awaited, for how long, and what was seen instead.
 * Read next: netns.ts.
 */
import { inspect } from "node:util";

export type Patience = {
  /** What is awaited, as it ends the sentence "gave up waiting for …". */
  readonly what: string;
  /** Milliseconds; a minute by default: BIRD and FRR retry a refused connection only after seconds, and the machine may do much else. */
  readonly timeoutMs?: number;
  /** Milliseconds between two looks; more where a look takes longer than that. */
  readonly everyMs?: number;
  /** Looked at only on failure: logs and the like, to be shown with it. */
  readonly explain?: () => string | Promise<string>;
};

const DEFAULT_TIMEOUT_MS = 60_000;
/** Short enough that a measured time is not the pause's, long enough not to take the core from what is awaited. */
const DEFAULT_PAUSE_MS = 25;
/** A look that starts programs shall leave at least as much to what is awaited, but never be the one that is waited for. */
const LONGEST_PAUSE_MS = 500;
/** The last answer is shown up to this many characters. */
const SHOWN_CHARACTERS = 2_000;

export const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });

/** Waits until a daemon answers; one that ends instead is not waited for. */
export async function serving(
  daemon: { readonly running: () => boolean },
  look: () => Promise<unknown>,
  patience: Patience,
): Promise<void> {
  const seen = await until(async () => (daemon.running() ? (await look(), "serving") : "ended"), {
    everyMs: 5,
    ...patience,
  });
  if (seen === "serving") return;
  throw new Error(`${patience.what} has ended:\n${(await patience.explain?.()) ?? ""}`);
}

type Falsy = undefined | null | false;

/**
 * Looks again and again until `look` gives something other than undefined, null or false, and returns that. A `look`
 * that throws counts as "not yet". Throws when the time is over, with the last answer or error in its message.
 */
export async function until<T>(
  look: () => T | Falsy | Promise<T | Falsy>,
  patience: Patience,
): Promise<T> {
  const timeoutMs = patience.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const deadline = performance.now() + timeoutMs;
  let seen = "nothing";
  for (;;) {
    const began = performance.now();
    try {
      const answer = await look();
      if (answer !== undefined && answer !== null && answer !== false) return answer;
      seen = inspect(answer);
    } catch (error) {
      seen = error instanceof Error ? error.message : inspect(error);
    }
    if (performance.now() > deadline) break;
    const took = Math.min(performance.now() - began, LONGEST_PAUSE_MS);
    await pause(Math.max(patience.everyMs ?? DEFAULT_PAUSE_MS, took));
  }
  const explained = patience.explain === undefined ? "" : `\n${await patience.explain()}`;
  throw new Error(
    `gave up waiting for ${patience.what} after ${timeoutMs} ms; last seen: ${seen.slice(0, SHOWN_CHARACTERS)}${explained}`,
  );
}
