/**
 * Where a program under test runs: a node of a test's network, or this machine's loopback for what needs no root.
 *
 * Both have a directory of their own and end what was started in them. A place on the loopback is for programs that
 * listen on a port above 1023 or on a Unix socket; nothing in it may be told to use another interface.
 * Read next: agent.ts.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Daemon, run, startDaemon } from "./daemon.ts";
import type { Node } from "./netns.ts";

export type Place = Pick<Node, "name" | "directory" | "run" | "start">;

/** A place on the loopback of this machine: no namespace, no root. */
export function onLoopback(): Place & AsyncDisposable {
  const directory = mkdtempSync(join(tmpdir(), `rutter-${process.pid}-`));
  const started: Daemon[] = [];
  return {
    name: "loopback",
    directory,
    run,
    start: async (argv, options) => {
      const daemon = await startDaemon(argv, options);
      started.push(daemon);
      return daemon;
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(started.map((daemon) => daemon.stop("SIGKILL")));
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
