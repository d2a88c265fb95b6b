/**
 * BIRD 2 as a live test's router: started in a node from a plan, asked over its control socket.
 *
 * It uses the distribution's own daemon with a configuration, socket and log of this run alone. It never reads or
 * writes /etc/bird or /run/bird.
 * Read next: router.ts (the shape of the answers), bird-config.ts, bird-answers.ts.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { parseRoutes, sessionOf } from "./bird-answers.ts";
import { birdConfig } from "./bird-config.ts";
import type { Place } from "./place.ts";
import { lastLines, type Router, type RouterPlan } from "./router.ts";
import { serving } from "./until.ts";

/** Debian keeps it off an ordinary user's PATH. */
const BIRD = "/usr/sbin/bird";
/** A table of 100,000 routes is printed in less. */
const ANSWER_TIMEOUT_MS = 30_000;

/**
 * One command over BIRD's control socket. Each line of an answer starts with a four-digit code, then `-` where more
 * follow or a blank at the last; a line that continues a code starts with a blank. The greeting is such an answer, too.
 */
function askBird(socketPath: string, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    let text = "";
    let greeted = false;
    socket.setEncoding("utf8").setTimeout(ANSWER_TIMEOUT_MS, () => {
      socket.destroy(new Error(`bird does not answer "${command}"`));
    });
    socket.once("error", reject);
    socket.once("close", () => {
      reject(new Error(`bird hung up on "${command}"`));
    });
    socket.on("data", (chunk: string) => {
      text += chunk;
      if (!/(?:^|\n)\d{4} [^\n]*\n$/.test(text.slice(-4_096))) return;
      if (greeted) {
        resolve(text);
        socket.destroy();
        return;
      }
      greeted = true;
      text = "";
      socket.write(`${command}\n`);
    });
  });
}

/** An answer whose code is 8xxx or 9xxx is a refusal. */
function refuseErrors(command: string, answer: string): string {
  if (/^[89]\d{3}[- ]/m.test(answer)) throw new Error(`bird refuses "${command}": ${answer}`);
  return answer;
}

/**
 * Starts BIRD in `node` and returns when its control socket answers. Throws with BIRD's own words when it does not start.
 * `recovers`: it comes back from a restart, and says so (RFC 4724 §4.1).
 */
export async function startBird(
  node: Place,
  plan: RouterPlan,
  options: { readonly recovers?: boolean } = {},
): Promise<Router> {
  const file = (name: string) => join(node.directory, `bird.${name}`);
  writeFileSync(file("log"), "");
  writeFileSync(file("conf"), birdConfig(plan, file("log")));
  const recovery = options.recovers === true ? ["-R"] : [];
  const files = ["-c", file("conf"), "-s", file("ctl"), "-P", file("pid")];
  const argv = [BIRD, "-f", ...recovery, ...files];
  const daemon = await node.start(argv);

  let current = plan;
  const ask = async (command: string) => refuseErrors(command, await askBird(file("ctl"), command));
  const log = () => readFileSync(file("log"), "utf8");
  const routes = async () =>
    // One channel after the other: BIRD names a table by its address family.
    [
      ...parseRoutes(await ask("show route all table master4")),
      ...parseRoutes(await ask("show route all table master6")),
    ];
  await serving(daemon, () => ask("show status"), {
    what: `bird in ${node.name}`,
    explain: () => `${daemon.stderr()}\n${lastLines(log())}`,
  });

  return {
    kind: "bird",
    pid: daemon.pid,
    routes,
    route: async (prefix) => {
      const found = parseRoutes(await askBird(file("ctl"), `show route ${prefix} primary all`));
      return found.find((route) => route.prefix === prefix);
    },
    session: async (address) => {
      const neighbour = current.neighbours.find((one) => one.address === address);
      if (neighbour === undefined) throw new Error(`bird has no neighbour ${address}`);
      const { name } = neighbour;
      return sessionOf(await ask(`show protocols all ${name}`), log(), name);
    },
    reconfigure: async (next) => {
      writeFileSync(file("conf"), birdConfig(next, file("log")));
      await ask("configure");
      current = next;
    },
    ask,
    log,
    explain: async () =>
      `bird in ${node.name}:\n${await ask("show protocols all")}\n${await ask("show route")}\n${lastLines(log())}`,
    stop: async (signal) => {
      await daemon.stop(signal);
    },
    [Symbol.asyncDispose]: async () => {
      await daemon.stop("SIGKILL");
    },
  };
}
