/**
 * Whether gobgpd answers: looked at every second and told at once where its stream of events ends.
 *
 * When it is back it is handed to `onUp` once, and again only after a pause where that fails; never a tight loop. Decides nothing
 * about what it is told. Reads next: gobgp-backend.ts.
 */
import { BackendError } from "../backend.ts";
import type { Clock, Logger } from "../clock.ts";
import type { ListedPeer, WatchEvent } from "./api/messages.ts";
import type { GobgpClient } from "./io/client.ts";
import { listPeers } from "./reconcile.ts";

export type LinkEvents = {
  /** gobgpd answers again, or for the first time. */
  onUp(): Promise<void>;
  /** Told once until the next onUp. */
  onDown(error: BackendError): void;
  onPeers(peers: readonly ListedPeer[]): void;
  onEvent(event: WatchEvent): void;
};

export type Link = {
  readonly isUp: () => boolean;
  /** Peers are listed soon; many calls are one. */
  look(): void;
  /** A call failed: judged as a look that did. */
  failed(error: BackendError): void;
  close(): void;
};

const LOOK_MILLIS = 1000;
/** Events of peers come in bursts. */
const SOON_MILLIS = 20;
/** While it is away: as long as a start of gobgpd takes. */
const AGAIN_MILLIS = 250;
/** Where it answers, and refuses what it is told: somebody must do something about it. */
const REFUSED_MILLIS = 5000;

export function openLink(
  client: GobgpClient,
  clock: Clock,
  logger: Logger,
  events: LinkEvents,
): Link {
  let state: "down" | "rising" | "up" = "down";
  let closed = false;
  let stopWatching = (): void => undefined;
  let cancel = (): void => undefined;
  let looking = false;
  let lookAgain = false;
  let lastWords = "";

  const down = (error: BackendError, pauseMillis: number): void => {
    const before = state;
    const isNews = lastWords !== error.message;
    state = "down";
    stopWatching();
    client.forget();
    lastWords = error.message;
    // It is tried four times a second.
    if (before === "up" || isNews) logger.warn({ code: error.code }, error.message);
    if (before !== "down" || isNews) events.onDown(error);
    schedule(pauseMillis);
  };
  const schedule = (millis: number): void => {
    cancel();
    if (!closed) cancel = clock.after(millis, () => void look());
  };

  const rise = async (): Promise<void> => {
    state = "rising";
    await client.dialect();
    stopWatching = client.watch(events.onEvent, (error) => {
      if (!closed) down(error, AGAIN_MILLIS);
    });
    await events.onUp();
    if (state === "rising") {
      state = "up";
      lastWords = "";
    }
  };

  const look = async (): Promise<void> => {
    if (closed) return;
    if (looking) {
      lookAgain = true;
      return;
    }
    looking = true;
    try {
      if (state === "down") await rise();
      const peers = await listPeers(client, true);
      if (!closed && state === "up") events.onPeers(peers);
      schedule(lookAgain ? SOON_MILLIS : LOOK_MILLIS);
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      if (!closed) down(error, error.code === "SPEAKER_REFUSED" ? REFUSED_MILLIS : AGAIN_MILLIS);
    } finally {
      looking = false;
      lookAgain = false;
    }
  };
  schedule(0);

  return {
    isUp: () => state === "up",
    look() {
      if (state === "up") schedule(looking ? SOON_MILLIS : 0);
    },
    failed(error) {
      if (!closed && state === "up" && error.code !== "SPEAKER_REFUSED") down(error, AGAIN_MILLIS);
    },
    close() {
      closed = true;
      cancel();
      stopWatching();
    },
  };
}
