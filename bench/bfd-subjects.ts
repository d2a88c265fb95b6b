/**
 * Who holds BFD sessions in the benchmark: `rutter bfd serve`, FRR's bfdd and BIRD, each as its users start it.
 *
 * Ours takes real-time scheduling by itself; the others do not. Reads next: bfd.ts.
 */
import { startBfd } from "../test/live/bfd-process.ts";
import { startBfdd } from "../test/live/bfdd.ts";
import { startBird } from "../test/live/bird.ts";
import type { Node } from "../test/live/netns.ts";
import { MULTIPLIER, sessionOf } from "./bfd-far.ts";

export const SUBJECTS = ["rutter", "bfdd", "bird"] as const;
export type SubjectName = (typeof SUBJECTS)[number];

/** What it holds, and where. */
type Plan = {
  readonly node: Node;
  readonly local: string;
  readonly remotes: readonly string[];
  readonly intervalMillis: number;
};

/** Resolves with the process's id. It ends with its network. */
type Start = (plan: Plan) => Promise<number>;

export const start: Readonly<Record<SubjectName, Start>> = {
  async rutter({ node, local, remotes, intervalMillis }) {
    const bfd = await startBfd(node);
    const agent = await bfd.connect();
    const greeting = agent.messages.find((one) => one.type === "hello");
    if (greeting?.priorityProblem !== "") process.stderr.write(`${greeting?.priorityProblem}\n`);
    await agent.hold(remotes.map((remote) => sessionOf(local, remote, intervalMillis)));
    return bfd.daemon.pid;
  },
  async bfdd({ node, local, remotes, intervalMillis }) {
    const bfdd = await startBfdd(node, []);
    // Peer by peer: it takes half a minute to read a file with 1,000 of them, and answers nobody meanwhile.
    await bfdd.configure([
      "bfd",
      ...remotes.flatMap((remote) => [
        `peer ${remote} local-address ${local}`,
        `detect-multiplier ${MULTIPLIER}`,
        `receive-interval ${intervalMillis}`,
        `transmit-interval ${intervalMillis}`,
        "exit",
      ]),
    ]);
    return bfdd.pid;
  },
  async bird({ node, remotes, intervalMillis }) {
    const bird = await startBird(node, {
      asn: 64999,
      routerId: node.ipv4,
      neighbours: [],
      raw: [
        "protocol bfd {",
        `  interface "*" { interval ${intervalMillis} ms; multiplier ${MULTIPLIER}; };`,
        ...remotes.map((remote) => `  neighbor ${remote};`),
        "}",
      ],
    });
    return bird.pid;
  },
};
