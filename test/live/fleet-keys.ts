/** Keys of one test: made where they are used, and gone with the network. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createUser } from "@nats-io/nkeys";
import type { Node } from "./netns.ts";

export type Key = { readonly publicKey: string; readonly seed: string; readonly file: string };

/** A user's nkey, its seed in a file of the node's directory. */
export function newKey(node: Node, name: string): Key {
  const pair = createUser();
  const seed = new TextDecoder().decode(pair.getSeed());
  const file = join(node.directory, name);
  fromSeed(file, seed);
  return { publicKey: pair.getPublicKey(), seed, file };
}

/** Puts another seed where a file is. */
export const fromSeed = (file: string, seed: string): void =>
  writeFileSync(file, `${seed}\n`, { mode: 0o600 });
