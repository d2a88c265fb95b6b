/**
 * The driver against real daemons: from every golden intent to the next, and back to nothing, with nothing refused and nothing left.
 *
 * Read next: frr-backend.live.test.ts (sessions with a far end).
 */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { join } from "node:path";
import { systemClock } from "../../backends/clock.ts";
import { parseRunning } from "../../backends/frr/config/parse.ts";
import { NO_LINES } from "../../backends/frr/config/tree.ts";
import { createConfigurator, removeAll } from "../../backends/frr/configurator.ts";
import { openVty, type Vty } from "../../backends/frr/io/vty.ts";
import { tagsOf } from "../../backends/frr/render/numbers.ts";
import { render } from "../../backends/frr/render/render.ts";
import { CASES } from "../frr/cases.ts";
import { reveal, VERSION_8 } from "../frr/intents.ts";
import { plain, treeOf } from "../frr/text.ts";
import { cannot, skipUnless } from "../probe.ts";
import { type FrrDaemons, startFrrDaemons } from "./frr-daemons.ts";
import { makeNetwork } from "./netns.ts";

beforeEach(skipUnless("netns", "frr"));

let stack: AsyncDisposableStack;
let daemons: FrrDaemons;
let directory: string;
beforeAll(async () => {
  stack = new AsyncDisposableStack();
  if (cannot("netns", "frr")) return;
  const network = stack.use(await makeNetwork(["host"]));
  daemons = stack.use(await startFrrDaemons(network.nodes.host));
  directory = join(network.nodes.host.directory, "frr-daemons");
});
afterAll(() => stack[Symbol.asyncDispose]());

const logger = { info: () => {}, warn: () => {}, error: () => {} };

function configurator() {
  const open = (name: string): Vty => {
    const vty = openVty({ socketPath: join(directory, `${name}.vty`), clock: systemClock });
    stack.defer(() => vty.close());
    return vty;
  };
  return createConfigurator({
    bgpd: open("bgpd"),
    bfdd: open("bfdd"),
    zebra: open("zebra"),
    reveal,
    logger,
    ours: new Set(),
    takeOver: "none",
  });
}

const running = async (name: "bgpd" | "bfdd"): Promise<string> =>
  (await daemons.ask(name, ["show running-config"]))[0]?.text ?? "";

/** Without the marks of ownership, which are no part of an intent's golden text. */
const unmarked = (text: string): unknown =>
  plain(new Map([...treeOf(text)].filter(([line]) => !/rutter-(?:made|guest)-/.test(line))));

/** What raw lines become is not in a rendering. */
const names = Object.keys(CASES).filter((name) => !name.startsWith("raw-"));
/** Each case follows one that is near it, and one that is far. */
const pairs = names.map((name, at) => [name, names[(at * 7 + 3) % names.length] ?? name] as const);

test.for(pairs)("from %s to %s", async ([from, to]) => {
  const driver = configurator();
  for (const name of [from, to]) {
    const intent = CASES[name];
    expect(intent).toBeDefined();
    if (intent === undefined) return;
    const before = parseRunning(await running("bgpd"));
    const wanted = render(intent, { version: VERSION_8, reveal, tags: tagsOf(before) });
    const { refused } = await driver.whole(intent);
    const withheld = [...wanted.withheld].map(([subject, reason]) => ({ subject, reason }));
    expect(refused, name).toEqual(withheld);
    expect(unmarked(await running("bgpd")), name).toEqual(plain(wanted.bgpd));
    expect(plain(treeOf(await running("bfdd")).get("bfd") ?? NO_LINES), name).toEqual(
      plain(wanted.bfdd.get("bfd") ?? NO_LINES),
    );
    expect((await driver.whole(intent)).sent, `${name} again`).toEqual([]);
  }
  expect((await removeAll(driver)).refused).toEqual([]);
  expect(treeOf(await running("bgpd"))).toEqual(NO_LINES);
});
