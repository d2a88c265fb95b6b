/**
 * What `show running-config` prints → a tree.
 *
 * Pure. FRR indents the lines of a node by one blank more than the line that opens it; the lines that close nodes, comments and the
 * head are left out. Two nodes with the same line are one. Reads next: difference.ts.
 */
import { type ConfigTree, NO_LINES } from "./tree.ts";

type Node = Map<string, ConfigTree>;

/** What is no line of the configuration: ends of nodes, comments, and the head that vtysh prints. */
const NO_LINE =
  /^(?:exit(?:-\S+)?|end|!.*|#.*|Building configuration\.\.\.|Current configuration:|)$/;

export function parseRunning(running: string): ConfigTree {
  const top: Node = new Map();
  const open: { readonly depth: number; readonly node: Node }[] = [{ depth: -1, node: top }];
  for (const text of running.split("\n")) {
    const line = text.trim();
    if (NO_LINE.test(line)) continue;
    const depth = text.length - text.trimStart().length;
    while (open.length > 1 && (open.at(-1)?.depth ?? 0) >= depth) open.pop();
    const parent = open.at(-1)?.node ?? top;
    const known = parent.get(line);
    const node: Node = known instanceof Map ? known : new Map();
    parent.set(line, node);
    open.push({ depth, node });
  }
  return sealed(top);
}

/** Leaves share one empty tree: ten thousand `network` lines are ten thousand leaves. */
function sealed(node: Node): ConfigTree {
  if (node.size === 0) return NO_LINES;
  for (const [line, children] of node) {
    if (children.size === 0) node.set(line, NO_LINES);
    else if (children instanceof Map) sealed(children);
  }
  return node;
}
