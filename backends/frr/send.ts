/**
 * Commands → lines on a vty, and its answers → what was refused.
 *
 * Definitions (route maps, lists) go as one northbound transaction: each one alone is compared with the whole configuration, which
 * takes 50 ms a line when there are a thousand (8.4.4: the maps of 500 neighbours 135 s alone, 0.6 s together). A transaction ends at the
 * first `exit`, so none is sent: FRR finds the node that a line belongs to among those above. One that fails as a whole is said again line
 * by line, so that one line never keeps the others from being applied. Reads next: config/difference.ts, io/vty.ts.
 */
import type { Change, Command } from "./config/difference.ts";
import { withoutSecret } from "./config/words.ts";
import { isDone, type VtyAnswer } from "./io/answers.ts";
import type { Vty } from "./io/vty.ts";

export type Refusal = {
  readonly command: Command;
  /** Words for people: the line without its secrets, where it stands, and what FRR says of it. */
  readonly reason: string;
};

const START = "XFRR_start_configuration";
const END = "XFRR_end_configuration";

/** Sends everything, and resolves with what was refused. Rejects with BackendError where the daemon does not answer. */
export async function sendChange(
  vty: Vty,
  { definitions, routers, removals }: Change,
): Promise<readonly Refusal[]> {
  return [
    ...(await sendTogether(vty, definitions)),
    ...(await sendLines(vty, routers)),
    ...(await sendTogether(vty, removals)),
  ];
}

async function sendTogether(vty: Vty, commands: readonly Command[]): Promise<readonly Refusal[]> {
  if (commands.length === 0) return [];
  const { lines, said } = spelled(commands);
  const answers = await vty.configure([START, ...lines, END]);
  const end = answers.at(-1);
  if (end !== undefined && isDone(end) && end.text.trim() === "")
    return refusals(said, answers.slice(1, -1));
  return sendLines(vty, commands);
}

/** One after the other, each for itself. */
export async function sendLines(
  vty: Vty,
  commands: readonly Command[],
): Promise<readonly Refusal[]> {
  if (commands.length === 0) return [];
  const { lines, said } = spelled(commands);
  return refusals(said, await vty.configure(lines));
}

type Spelled = { readonly lines: readonly string[]; readonly said: readonly Command[] };

/** Each line of the way to a node is said where it differs from the one before. */
function spelled(commands: readonly Command[]): Spelled {
  const lines: string[] = [];
  const said: Command[] = [];
  let node: readonly string[] = [];
  for (const command of commands) {
    const { path, line } = command;
    if (node.length !== path.length || path.some((opening, at) => node[at] !== opening)) {
      for (const opening of path) {
        lines.push(opening);
        said.push(command);
      }
    }
    lines.push(line);
    said.push(command);
    // What the line opens is left by the way to the next one, said in full.
    node = path.length === 0 ? [line] : path;
  }
  return { lines, said };
}

function refusals(said: readonly Command[], answers: readonly VtyAnswer[]): Refusal[] {
  const refused = new Map<Command, Refusal>();
  answers.forEach((answer, at) => {
    const command = said[at];
    if (command === undefined || isDone(answer) || refused.has(command)) return;
    refused.set(command, { command, reason: reasonOf(command, answer.text) });
  });
  return [...refused.values()];
}

function reasonOf({ path, line }: Command, said: string): string {
  const where = path.length === 0 ? "" : ` in "${path.join(" / ")}"`;
  const words = said
    .replaceAll(/\s+/g, " ")
    .replace(/^\s*%?\s*/, "")
    .trim();
  return `FRR refuses "${withoutSecret(line)}"${where}: ${words || "it gives no reason"}`;
}
