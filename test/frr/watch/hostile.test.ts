/** A socket where bgpd should be, which answers whatever it likes: no nonsense ends the watcher, or is shown as a session. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { systemClock } from "../../../backends/clock.ts";
import { createWatcher } from "../../../backends/frr/watch/watcher.ts";
import { vtyConnection } from "../../live/frr-vty.ts";
import { until } from "../../live/until.ts";
import { intentOf, neighbor, recorded } from "./fake.ts";

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** What it says to a command; undefined: it hangs up. */
type Mood = (command: string) => string | undefined;

const honest: Mood = (command) => {
  if (command === "show modules") return recorded("modules.txt");
  if (command.includes("failed")) return recorded("summary-failed.txt");
  if (command.includes("summary")) return recorded("summary.txt");
  return command.includes("10.9.0.2 json") ? recorded("neighbor-up.txt") : "";
};
const always =
  (text: string): Mood =>
  (command) =>
    command === "enable" ? "" : text;

/** Right where it is asked for the process, wrong everywhere else. */
const wrongButFor =
  (wrong: (command: string) => string | undefined): Mood =>
  (command) =>
    command === "enable" || command === "show modules" ? honest(command) : wrong(command);

const MOODS: readonly (readonly [string, Mood])[] = [
  ["prints binary", always("\u0001\u001b[2J\uFFFD".repeat(500))],
  ["prints half an answer", wrongButFor((command) => honest(command)?.slice(0, 300))],
  ["prints another shape", wrongButFor(() => '[{"default":[1,2,{"peers":"Established"}]},7]')],
  ["prints what was asked before", wrongButFor(() => recorded("table.txt"))],
  ["hangs up on every question", () => undefined],
  ["nests deeply", wrongButFor(() => "[".repeat(200_000))],
];

async function serve(path: string, mood: () => Mood): Promise<Server> {
  const answer = (socket: Socket, command: string): void => {
    const said = mood()(command);
    if (said === undefined) socket.destroy();
    else socket.write(Buffer.concat([Buffer.from(said), Buffer.from([0, 0, 0, 0])]));
  };
  const server = createServer((socket) => {
    let rest = "";
    socket.on("error", () => undefined);
    socket.setEncoding("utf8").on("data", (chunk: string) => {
      const commands = (rest + chunk).split("\0");
      rest = commands.pop() ?? "";
      for (const command of commands) answer(socket, command);
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(path, resolve);
  });
  return server;
}

test.for(MOODS)(
  "a daemon that %s is shown as down, and as up when it is itself again",
  async ([, mood]) => {
    const directory = mkdtempSync(join(tmpdir(), "rutter-vty-"));
    const path = join(directory, "bgpd.vty");
    let now = honest;
    const server = await serve(path, () => now);
    using vty = vtyConnection(path);
    const watcher = createWatcher({
      bgpd: vty,
      bfdd: undefined,
      zebra: undefined,
      clock: systemClock,
      logger: silent,
    });
    try {
      watcher.neighbors(intentOf([neighbor("10.9.0.2")]));
      const state = () => watcher.sessions()[0]?.state;
      await until(() => state() === "Established", { what: "a session" });
      now = mood;
      await until(() => state() === "Idle", { what: "its end" });
      now = honest;
      await until(() => state() === "Established", { what: "the session again" });
      expect(watcher.problems()).toEqual([]);
      // Looks and tries, and no tight loop: each hang-up costs one connection, twice a second.
      expect(vty.opened()).toBeLessThan(100);
    } finally {
      watcher.close();
      server.close();
      rmSync(directory, { recursive: true });
    }
  },
);
