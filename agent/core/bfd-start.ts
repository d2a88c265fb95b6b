/**
 * Starts the BFD process where no service manager does: a process of its own that outlives the agent.
 *
 * Under systemd it is never a child of ours (design §2): there rutter-bfd.service runs it, and `status` says so where it is
 * missing. Reads next: ../serve-bfd.ts.
 */
import { spawn } from "node:child_process";
import type { Logger } from "../../backends/clock.ts";
import type { AgentConfig } from "../config-schema.ts";

/** undefined: it is not ours to start. */
export function bfdStarter(
  { bfd }: Pick<AgentConfig, "bfd">,
  env: Readonly<Record<string, string | undefined>>,
  logger: Logger,
): (() => void) | undefined {
  if (bfd.start === "never" || env["INVOCATION_ID"] !== undefined) return undefined;
  // What the agent itself was started from: its sources, or a package's.
  const [, main = ""] = process.argv;
  const options = ["--socket", bfd.socket, "--keep", String(bfd.keepSeconds), "--until-idle"];
  return () => {
    const child = spawn(process.execPath, [main, "bfd", "serve", ...options], {
      detached: true,
      stdio: "ignore",
    });
    child.on("error", (error) => logger.warn({ error: error.message }, "no BFD process"));
    child.unref();
    logger.info({ pid: child.pid, socket: bfd.socket }, "started a BFD process");
  };
}
