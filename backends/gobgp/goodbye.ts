/**
 * The last words of an agent that is stopped for good: each peer is told why its session ends.
 *
 * Read next: gobgp-backend.ts (close).
 */
import { BackendError } from "../backend.ts";
import type { Logger } from "../clock.ts";
import type { GobgpClient } from "./io/client.ts";
import type { Speaking } from "./render/speaking.ts";

const STOPPED = "rutter is stopped on this host";

/** Ceases with Administrative Shutdown (RFC 4486 §4). A gobgpd that is gone has said its own goodbye. */
export async function sayGoodbye(
  client: GobgpClient,
  speaking: readonly Speaking[],
  logger: Logger,
): Promise<void> {
  for (const { address } of speaking) {
    try {
      await client.call("DisablePeer", { address, communication: STOPPED });
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      logger.warn({ code: error.code }, error.message);
      return;
    }
  }
}
