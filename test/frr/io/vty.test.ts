/**
 * The vty client against a daemon of the test's own, which answers in pieces, not at all, or with nonsense.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { systemClock } from "../../../backends/clock.ts";
import { answerReader, NotAnAnswer } from "../../../backends/frr/io/answers.ts";
import { openVty, type Vty } from "../../../backends/frr/io/vty.ts";

const answer = (text: string, status = 0): Buffer =>
  Buffer.concat([Buffer.from(text), Buffer.of(0, 0, 0, status)]);

describe("answers", () => {
  test("are the same wherever their octets are cut", () => {
    const octets = Buffer.concat([answer(""), answer("é\n"), answer("% no", 13)]);
    const whole = [
      { text: "", status: 0 },
      { text: "é\n", status: 0 },
      { text: "% no", status: 13 },
    ];
    for (let at = 0; at <= octets.length; at += 1) {
      const reader = answerReader(100);
      expect([...reader.take(octets.subarray(0, at)), ...reader.take(octets.subarray(at))]).toEqual(
        whole,
      );
    }
  });

  test("are not read without end, nor where they are none", () => {
    expect(() => answerReader(3).take(Buffer.from("four"))).toThrow(NotAnAnswer);
    expect(() => answerReader(3).take(Buffer.of(65, 0, 66))).toThrow(NotAnAnswer);
  });
});

type Daemon = { readonly heard: string[]; readonly path: string; readonly sockets: Set<Socket> };
const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const clean of cleanups.splice(0).toReversed()) clean();
});

async function daemon(reply: (command: string, socket: Socket) => void): Promise<Daemon> {
  const directory = mkdtempSync(join(tmpdir(), "rutter-vty-"));
  const path = join(directory, "x.vty");
  const heard: string[] = [];
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    let rest = "";
    socket.on("error", () => undefined);
    socket.on("data", (octets) => {
      const commands = (rest + octets.toString("utf8")).split("\0");
      rest = commands.pop() ?? "";
      for (const command of commands) {
        heard.push(command);
        reply(command, socket);
      }
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(path, resolve);
  });
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
    rmSync(directory, { recursive: true });
  });
  return { heard, path, sockets };
}

function open(socketPath: string, onLost: () => void = () => undefined): Vty {
  const vty = openVty({ socketPath, clock: systemClock, timeoutMillis: 200, onLost });
  cleanups.push(() => vty.close());
  return vty;
}

describe("a vty", () => {
  test("says commands in the node that they need, and gives every answer to whom it is for", async () => {
    const { heard, path } = await daemon((command, socket) => {
      socket.write(answer(`<${command}>`, command === "bad" ? 2 : 0));
    });
    const vty = open(path);
    const [shown, configured] = await Promise.all([
      vty.show("show version"),
      vty.configure(["router bgp 1", "bad"]),
    ]);
    expect(shown).toBe("<show version>");
    expect(configured).toEqual([
      { text: "<router bgp 1>", status: 0 },
      { text: "<bad>", status: 2 },
    ]);
    const said = ["enable", "show version", "configure terminal", "router bgp 1", "bad", "end"];
    expect(heard).toEqual(said);
    await expect(vty.show("bad")).rejects.toMatchObject({ code: "SPEAKER_REFUSED" });
  });

  test("gives up a daemon that says nothing, and asks it anew on another connection", async () => {
    let silent = true;
    const { path, sockets } = await daemon((command, socket) => {
      if (!silent) socket.write(answer(command));
    });
    let lost = 0;
    const vty = open(path, () => {
      lost += 1;
    });
    await expect(vty.show("a")).rejects.toMatchObject({ code: "SPEAKER_TIMEOUT" });
    expect([lost, vty.losses()]).toEqual([1, 1]);
    silent = false;
    expect(await vty.show("b")).toBe("b");
    expect(sockets.size).toBe(2);
  });

  test("tells whoever waits that the daemon ended, is not there, or is no vty", async () => {
    const ended = await daemon((_command, socket) => socket.destroy());
    await expect(open(ended.path).show("a")).rejects.toMatchObject({ code: "SPEAKER_UNREACHABLE" });
    await expect(open(`${ended.path}.not`).show("a")).rejects.toMatchObject({
      code: "SPEAKER_UNREACHABLE",
    });
    const odd = await daemon((_command, socket) => socket.write(Buffer.of(0, 1)));
    await expect(open(odd.path).show("a")).rejects.toMatchObject({ code: "SPEAKER_UNREACHABLE" });
  });

  test("never says what would be two commands", async () => {
    const { heard, path } = await daemon((command, socket) => socket.write(answer(command)));
    const vty = open(path);
    for (const text of ["a\0b", "a\nb", "a\u001b[2J"])
      await expect(vty.configure([text])).rejects.toThrow("control character");
    expect(heard).toEqual([]);
  });

  test("refuses a configuration that another one holds", async () => {
    const { path } = await daemon((command, socket) => {
      socket.write(answer("locked", command === "configure terminal" ? 1 : 0));
    });
    await expect(open(path).configure(["a"])).rejects.toMatchObject({ code: "SPEAKER_REFUSED" });
  });
});
