/**
 * Every intent of the golden texts, given to real daemons: each line is taken without a word, and the running configuration is what
 * was rendered, line for line. What FRR prints otherwise than it was told, the driver would send for ever.
 */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type ConfigTree, NO_LINES } from "../../backends/frr/config/tree.ts";
import { NO_TAGS } from "../../backends/frr/render/numbers.ts";
import { render } from "../../backends/frr/render/render.ts";
import { CASES } from "../frr/cases.ts";
import { reveal, VERSION_8 } from "../frr/intents.ts";
import { commandsOf, plain, treeOf } from "../frr/text.ts";
import { cannot, skipUnless } from "../probe.ts";
import { type DaemonName, type FrrDaemons, startFrrDaemons } from "./frr-daemons.ts";
import { makeNetwork } from "./netns.ts";

beforeEach(skipUnless("netns", "frr"));

let stack: AsyncDisposableStack;
let daemons: FrrDaemons;
beforeAll(async () => {
  stack = new AsyncDisposableStack();
  if (cannot("netns", "frr")) return;
  const network = stack.use(await makeNetwork(["host"]));
  daemons = stack.use(await startFrrDaemons(network.nodes.host));
});
afterAll(() => stack[Symbol.asyncDispose]());

/** Undoes a configuration; routers of VRFs first, for the default one stays while they import from it. */
function undoing(tree: ConfigTree): string[] {
  const rank = (line: string): number => Number(!line.includes(" vrf "));
  return [...tree.keys()]
    .toSorted((a, b) => rank(a) - rank(b))
    .flatMap((line) => {
      // What is said of a route map outlives its entries.
      if (line.startsWith("no ")) return [line.slice(3)];
      if (!line.startsWith("vrf ")) return [`no ${line}`];
      const inner = [...(tree.get(line)?.keys() ?? [])].map((child) => `no ${child}`);
      return [line, ...inner, "exit-vrf"];
    });
}

const running = async (daemon: DaemonName): Promise<ConfigTree> => {
  const [answer] = await daemons.ask(daemon, ["show running-config"]);
  return treeOf(answer?.text ?? "");
};

/** What is said of something that is as wanted: that a session which is not there yet would have to be reset, and of echo. */
const REMARK = /^(?:Graceful restart configuration changed|% Echo mode works correctly for IPv4)/;

async function configure(daemon: DaemonName, commands: readonly string[]): Promise<string[]> {
  const answers = await daemons.ask(daemon, ["configure terminal", ...commands]);
  return answers.flatMap(({ text, status }, i) =>
    status === 0 && (text === "" || REMARK.test(text.trim()))
      ? []
      : [`${commands[i - 1]}: ${status} ${text}`],
  );
}

const NAMES = ["zebra", "bfdd", "bgpd"] as const;

test.for(Object.entries(CASES))("%s is taken and printed back", async ([, intent]) => {
  for (const name of NAMES) {
    expect(await configure(name, undoing(await running(name)))).toEqual([]);
    expect(await running(name), `${name} has forgotten the case before`).toEqual(NO_LINES);
  }
  const rendered = render(intent, { version: VERSION_8, reveal, tags: NO_TAGS });
  for (const name of NAMES) expect(await configure(name, commandsOf(rendered[name]))).toEqual([]);
  for (const name of NAMES) expect(plain(await running(name))).toEqual(plain(rendered[name]));
});
