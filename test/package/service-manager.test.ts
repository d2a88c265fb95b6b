/**
 * What systemd is told, when, and by which socket (sd_notify(3)).
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { serviceManager } from "../../agent/service-manager.ts";
import { sendDatagram } from "../../backends/os/datagram.ts";
import { until } from "../live/until.ts";
import { virtualClock } from "../virtual-clock.ts";

const turn = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

function told(env: Readonly<Record<string, string>>) {
  const clock = virtualClock();
  const said: string[] = [];
  const warned: string[] = [];
  const logger = {
    info() {},
    warn: (_: object, text: string) => void warned.push(text),
    error() {},
  };
  const send = (path: string, text: string): void => {
    if (path === "/gone") throw new Error("ECONNREFUSED");
    said.push(text);
  };
  return { clock, said, warned, manager: serviceManager(env, { clock, logger, send }) };
}

describe("signs of life", () => {
  const env = { NOTIFY_SOCKET: "/s", WATCHDOG_USEC: "15000000", WATCHDOG_PID: `${process.pid}` };

  test("are sent three times in the time that the unit gives, from the start on, until the stop", async () => {
    const { clock, said, manager } = told(env);
    clock.advance(20_000);
    manager.ready("up");
    for (let i = 0; i < 3; i += 1) {
      clock.advance(5000);
      await turn();
    }
    manager.stopping();
    clock.advance(20_000);
    await turn();
    expect(said).toEqual([
      "READY=1\nSTATUS=up",
      "WATCHDOG=1",
      "WATCHDOG=1",
      "WATCHDOG=1",
      "STOPPING=1\nSTATUS=stopping",
    ]);
  });

  test("need the loop: a timer alone sends none", async () => {
    const { clock, said, manager } = told(env);
    manager.ready("up");
    clock.advance(5000);
    expect(said).toHaveLength(1);
    await turn();
    expect(said).toHaveLength(2);
  });

  test("are sent once a turn, also after a reload", async () => {
    const { clock, said, manager } = told(env);
    manager.ready("up");
    manager.reloading();
    manager.ready("reloaded");
    clock.advance(5000);
    await turn();
    expect(said.filter((text) => text === "WATCHDOG=1")).toHaveLength(1);
    expect(said[1]).toMatch(/^RELOADING=1\nMONOTONIC_USEC=\d+\nSTATUS=reloading$/);
  });

  test("are nobody's where another process is watched, or none", () => {
    for (const other of [{ ...env, WATCHDOG_PID: "1" }, { NOTIFY_SOCKET: "/s" }]) {
      const { clock, manager } = told(other);
      manager.ready("up");
      expect(clock.pending()).toBe(0);
    }
  });
});

test("without a socket nothing is said, and one that is gone is only told in a log line", () => {
  const quiet = told({});
  quiet.manager.ready("up");
  expect(quiet.said).toEqual([]);
  const gone = told({ NOTIFY_SOCKET: "/gone" });
  gone.manager.ready("up");
  expect(gone.warned).toEqual(["systemd could not be told"]);
});

describe("a datagram", () => {
  const receiver = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1].replace("@", "\\0", 1))
print("bound", flush=True)
print(s.recv(1000).decode(), flush=True)
`;

  test.each(["path", "abstract"] as const)("arrives at a socket with a %s name", async (kind) => {
    const directory = mkdtempSync(join(tmpdir(), "rutter-notify-"));
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
    const name = kind === "path" ? join(directory, "s") : `@rutter-${process.pid}`;
    const child = spawn("python3", ["-c", receiver, name], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    onTestFinished(() => void child.kill("SIGKILL"));
    let said = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
    await until(() => said.includes("bound"), { what: "the receiver" });
    sendDatagram(name, "READY=1");
    await until(() => said.includes("READY=1"), { what: "the datagram" });
    expect(said).toBe("bound\nREADY=1\n");
  });

  test("says why it can't be sent", () => {
    expect(() => sendDatagram("/nowhere/s", "x")).toThrow("send to /nowhere/s: ENOENT");
    expect(() => sendDatagram(`/${"x".repeat(108)}`, "x")).toThrow(RangeError);
  });
});
