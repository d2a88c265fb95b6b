/**
 * What systemd is told, when, and by which socket (sd_notify(3)).
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { serviceManager } from "../../agent/service-manager.ts";
import { sendDatagram } from "../../backends/os/datagram.ts";
import { calls, check, closeFd, SOCK_DGRAM, SOCK_NONBLOCK } from "../../backends/os/libc.ts";
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

/** A socket as sockaddr_un has it: family 1, then the path and NUL, or NUL and the abstract name. */
function receiver(name: string): () => string {
  const text = name.startsWith("@") ? `\0${name.slice(1)}` : `${name}\0`;
  const address = Buffer.concat([Buffer.from([1, 0]), Buffer.from(text)]);
  const fd = check(calls.socket(1, SOCK_DGRAM | SOCK_NONBLOCK, 0) as number, "socket");
  onTestFinished(() => closeFd(fd));
  check(calls.bind(fd, address, address.length) as number, "bind");
  return () => {
    const octets = Buffer.alloc(100);
    const length = check(Number(calls.recv(fd, octets, octets.length, 0)), "recv");
    return octets.toString("utf8", 0, length);
  };
}

describe("a datagram", () => {
  test.each(["path", "abstract"] as const)("arrives at a socket with a name of kind %s", (kind) => {
    const directory = mkdtempSync(join(tmpdir(), "rutter-notify-"));
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
    const name = kind === "path" ? join(directory, "s") : `@rutter-${process.pid}`;
    const received = receiver(name);
    sendDatagram(name, "READY=1");
    expect(received()).toBe("READY=1");
  });

  test("says why it can't be sent", () => {
    expect(() => sendDatagram("/nowhere/s", "x")).toThrow("send to /nowhere/s: ENOENT");
    expect(() => sendDatagram(`/${"x".repeat(108)}`, "x")).toThrow(RangeError);
  });
});
