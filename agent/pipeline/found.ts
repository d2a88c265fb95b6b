/**
 * Who answers on the interface of an unnumbered neighbour → an observed fact, which the plan reads for its BFD session.
 *
 * Reads next: ../plan/bfd.ts, ../../backends/native/io/router-discovery.ts (who finds).
 */
import type { SessionStatus, SpeakerBackend } from "../../backends/backend.ts";
import type { Commands } from "./commands.ts";

/** Returns what ends it. */
export function startFinding(
  backend: Pick<SpeakerBackend, "watch" | "sessions">,
  commands: Pick<Commands, "observe">,
): () => void {
  const see = ({ neighbor, name, found }: SessionStatus): void => {
    if (found === undefined) return;
    commands.observe({ type: "observe-neighbor", neighbor, peer: name, ...found });
  };
  const stop = backend.watch((fact) => {
    if (fact.type === "session") see(fact.status);
  });
  for (const status of backend.sessions()) see(status);
  return stop;
}
