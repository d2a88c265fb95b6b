/**
 * FRR's bgpd (and zebra) as a live test's router: started in a node from a plan, asked over the daemons' vty sockets.
 *
 * It uses the distribution's own daemons with sockets, pid files and logs of this run alone. It never reads or writes
 * /etc/frr or /run/frr, and never needs vtysh.
 * Read next: router.ts (the shape of the answers), frr-config.ts, frr-answers.ts.
 */
import { chownSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { parseFrrRoutes, parseFrrSession } from "./frr-answers.ts";
import { frrConfig } from "./frr-config.ts";
import type { Node } from "./netns.ts";
import { lastLines, type Router, type RouterPlan } from "./router.ts";
import { serving } from "./until.ts";

const DAEMONS = "/usr/lib/frr";

/** A table of 100,000 routes is printed in less. */
const ANSWER_TIMEOUT_MS = 30_000;
/** What FRR answers to a command that it carried out: success, and a warning. */
const STATUS_DONE = new Set([0, 1]);

type Answer = { readonly text: string; readonly status: number };

/** Commands on one vty connection, one after the other: each ends with NUL, each answer with three NULs and a status. */
export function askVty(socketPath: string, commands: readonly string[]): Promise<Answer[]> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    const answers: Answer[] = [];
    const chunks: Buffer[] = [];
    const next = () => {
      const command = commands[answers.length];
      if (command === undefined) {
        resolve(answers);
        socket.destroy();
      } else socket.write(`${command}\0`);
    };
    socket.setTimeout(ANSWER_TIMEOUT_MS, () => {
      socket.destroy(new Error(`frr does not answer "${commands[answers.length]}"`));
    });
    socket.once("error", reject);
    socket.once("close", () => {
      reject(new Error(`frr hung up on "${commands[answers.length]}"`));
    });
    socket.once("connect", next);
    socket.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      const tail = chunk.length >= 4 ? chunk : Buffer.concat(chunks);
      if (tail.length < 4 || tail.readUIntBE(tail.length - 4, 3) !== 0) return;
      const text = Buffer.concat(chunks).subarray(0, -4).toString("utf8");
      answers.push({ text, status: tail.at(-1) ?? 0 });
      chunks.length = 0;
      next();
    });
  });
}

export const daemonArguments = (directory: string, name: string): string[] => [
  `${DAEMONS}/${name}`,
  "--vty_socket",
  directory,
  "-i",
  join(directory, `${name}.pid`),
  "-z",
  join(directory, "zserv"),
  "-f",
  join(directory, `${name}.conf`),
  "-P",
  "0",
  "--log",
  `file:${join(directory, `${name}.log`)}`,
  "--log-level",
  "debugging",
];

/** The daemons give up root for the user that Debian's package made: zebra knows no way to stay root. */
export function ownedByFrr(paths: readonly string[]): void {
  const line = readFileSync("/etc/passwd", "utf8").match(/^frr:[^:]*:(\d+):(\d+):/m);
  if (line === null) throw new Error("this machine has no user frr");
  for (const path of paths) chownSync(path, Number(line[1]), Number(line[2]));
}

function prepare(directory: string, plan: RouterPlan): void {
  // A second start in the same node begins anew.
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory);
  const write = (name: string, text: string): string => {
    writeFileSync(join(directory, name), text);
    return join(directory, name);
  };
  const files = [
    write("zebra.log", ""),
    write("zebra.conf", ""),
    write("bgpd.log", ""),
    write("bgpd.conf", frrConfig(plan)),
  ];
  ownedByFrr([directory, ...files]);
}

/** Lines that undo the whole BGP part and make it anew; sessions reset, which a test must expect of it. */
const reconfiguration = (plan: RouterPlan): string[] => [
  "enable",
  "configure terminal",
  "no router bgp",
  ...frrConfig(plan)
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== ""),
];

/**
 * Starts zebra and bgpd in `node` and returns when bgpd's vty answers. Throws with their own words when they do not
 * start. `kernel` lets zebra put learned routes into the namespace's kernel table.
 */
export async function startFrr(
  node: Node,
  plan: RouterPlan,
  options: { readonly kernel?: boolean } = {},
): Promise<Router> {
  const directory = join(node.directory, "frr");
  const file = (name: string) => join(directory, name);
  prepare(directory, plan);
  const zebra = await node.start(daemonArguments(directory, "zebra"));
  await serving(zebra, () => askVty(file("zebra.vty"), ["show version"]), {
    what: `zebra in ${node.name}`,
    explain: () => zebra.stderr() + readFileSync(file("zebra.log"), "utf8"),
  });
  const listen = plan.port === undefined ? [] : ["-p", String(plan.port)];
  const kernel = options.kernel === true ? [] : ["--no_kernel"];
  const bgpd = await node.start([...daemonArguments(directory, "bgpd"), ...listen, ...kernel]);

  const ask = async (command: string): Promise<string> => {
    const [, answer = { text: "", status: 0 }] = await askVty(file("bgpd.vty"), [
      "enable",
      command,
    ]);
    if (STATUS_DONE.has(answer.status)) return answer.text;
    throw new Error(`frr refuses "${command}": ${answer.text}`);
  };
  const log = () => readFileSync(file("bgpd.log"), "utf8");
  await serving(bgpd, () => ask("show version"), {
    what: `bgpd in ${node.name}`,
    explain: () => bgpd.stderr() + lastLines(log()),
  });

  const routes = async () => [
    ...parseFrrRoutes(await ask("show bgp ipv4 unicast json detail")),
    ...parseFrrRoutes(await ask("show bgp ipv6 unicast json detail")),
  ];
  const stop = async (signal?: NodeJS.Signals): Promise<void> => {
    await bgpd.stop(signal);
    await zebra.stop(signal);
  };
  return {
    kind: "frr",
    pid: bgpd.pid,
    routes,
    route: async (prefix) => {
      const family = prefix.includes(":") ? "ipv6" : "ipv4";
      const answer = await ask(`show bgp ${family} unicast ${prefix} json`);
      return parseFrrRoutes(answer).find((route) => route.best && route.prefix === prefix);
    },
    session: async (address) =>
      parseFrrSession(await ask(`show bgp neighbors ${address} json`), address),
    reconfigure: async (next) => {
      const lines = reconfiguration(next);
      const answers = await askVty(file("bgpd.vty"), lines);
      const refused = answers.findIndex(({ status }) => !STATUS_DONE.has(status));
      if (refused >= 0)
        throw new Error(`frr refuses "${lines[refused]}": ${answers[refused]?.text}`);
    },
    ask,
    log,
    explain: async () =>
      `frr in ${node.name}:\n${await ask("show bgp summary")}\n${await ask("show bgp all")}\n${lastLines(log())}`,
    stop,
    [Symbol.asyncDispose]: () => stop("SIGKILL"),
  };
}
