/**
 * The exec probe: runs a command that agent.yaml holds, with no privilege at all.
 *
 * A manifest only names an entry; the command stands in the root-owned file (design §5). The program gets empty capability
 * sets (ambient ones would survive exec even under NoNewPrivileges), its own user, its own process group that is killed
 * whole, a bare environment, and a limit on time and output. Never a shell, never the agent's environment.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import type { NamedCheck } from "../config-schema.ts";
import type { PlannedCheck } from "./plan-checks.ts";
import type { Result } from "./rise-fall.ts";

/** Of util-linux, which every Debian has. */
const SETPRIV = "/usr/bin/setpriv";
/** Enough for the line that says what is wrong; a check that prints more is not read further. */
const MAX_OUTPUT_OCTETS = 4096;
const MAX_REASON = 200;
/** Bit of CAP_SETPCAP in linux/capability.h: without it the bounding set cannot be emptied. */
const CAP_SETPCAP = 8n;

export type Privileges = { readonly root: boolean; readonly mayDropBounding: boolean };

/** What this process may give up; read once, for it does not change. */
export function ownPrivileges(): Privileges {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
  const bits = BigInt(`0x${effective ?? "0"}`);
  return {
    root: process.geteuid?.() === 0,
    mayDropBounding: ((bits >> CAP_SETPCAP) & 1n) === 1n,
  };
}

/** The whole command line. Pure. */
export function commandLine(named: NamedCheck, privileges: Privileges): readonly string[] {
  const user = named.user ?? "nobody";
  return [
    SETPRIV,
    ...(privileges.root ? [`--reuid=${user}`, ...groupsOf(user)] : []),
    "--inh-caps=-all",
    "--ambient-caps=-all",
    // Without the right to it the set stays, but nothing can be gained from it under --no-new-privs.
    ...(privileges.mayDropBounding ? ["--bounding-set=-all"] : []),
    "--no-new-privs",
    "--",
    ...named.command,
  ];
}

/** A bare number has no entry in the user database to take groups from. */
const groupsOf = (user: string): readonly string[] =>
  /^\d+$/.test(user)
    ? [`--regid=${user}`, "--clear-groups"]
    : ["--init-groups", `--regid=${user === "nobody" ? "nogroup" : user}`];

/** What a check may want to know; all of it stands in manifests, nothing in it is secret. */
export function environmentOf({ service, addresses, ports }: PlannedCheck): Record<string, string> {
  return {
    PATH: "/usr/local/bin:/usr/bin:/bin",
    LANG: "C.UTF-8",
    RUTTER_SERVICE: service.split("/").slice(2).join("/"),
    RUTTER_ADDRESSES: addresses.join(","),
    RUTTER_PORTS: ports.map(({ protocol, port }) => `${protocol}/${port}`).join(","),
  };
}

/** Exit 0 is healthy. Never rejects; the promise ends when the program and its group are gone. */
export function probeExec(
  named: NamedCheck,
  planned: PlannedCheck,
  privileges: Privileges,
  signal: AbortSignal,
): Promise<Result> {
  const [program = SETPRIV, ...args] = commandLine(named, privileges);
  const seconds = Math.min(planned.timeoutSeconds, named.timeoutSeconds);
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: "/",
      env: environmentOf(planned),
      stdio: ["ignore", "pipe", "pipe"],
      // A process group of its own, so that what the program starts can be ended with it.
      detached: true,
    });
    const output = collect(child);
    let ended = "";
    const end = (why: string): void => {
      ended = why;
      killGroup(child);
    };
    const timer = setTimeout(
      () => end(`ran longer than ${seconds} s and was killed`),
      seconds * 1000,
    );
    const abort = (): void => end("was ended");
    signal.addEventListener("abort", abort);
    if (signal.aborted) abort();
    const answer = (ok: boolean, words: string): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
      killGroup(child);
      child.stdout?.destroy();
      child.stderr?.destroy();
      resolve({ ok, reason: words });
    };
    child.once("error", (error: NodeJS.ErrnoException) =>
      answer(
        false,
        `${program} (package util-linux) cannot be started: ${error.code ?? error.name}`,
      ),
    );
    child.once("exit", (code, killer) => {
      const said = output();
      const how =
        ended !== "" ? ended : killer === null ? `ended with ${code ?? "?"}` : `died of ${killer}`;
      answer(code === 0 && ended === "", `the check ${how}${said === "" ? "" : `: ${said}`}`);
    });
  });
}

/** First line of what it printed, standard error before standard output. */
function collect(child: ChildProcess): () => string {
  const texts = { stderr: "", stdout: "" };
  for (const name of ["stderr", "stdout"] as const) {
    child[name]?.on("data", (data: Buffer) => {
      const room = MAX_OUTPUT_OCTETS - texts[name].length;
      if (room > 0) texts[name] += data.toString("latin1", 0, room);
      else child[name]?.destroy();
    });
    child[name]?.on("error", () => {});
  }
  return () => {
    const text = texts.stderr.trim() === "" ? texts.stdout : texts.stderr;
    const [line = ""] = text.trim().split("\n", 1);
    // Printable ASCII only: the line is shown on terminals.
    return line.replaceAll(/[^\x20-\x7e]/g, "?").slice(0, MAX_REASON);
  };
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // Nobody is left in the group.
  }
}
