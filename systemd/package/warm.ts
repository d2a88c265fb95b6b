/**
 * Run once by the package's postinst: loads all of the program's code, so that Node keeps it compiled.
 *
 * Node has the folder from its environment (NODE_COMPILE_CACHE); what V8 makes is not the same octets twice, so it is made on the
 * host and not in the package. Runs nothing of the program: its entries would, and what they import is in other files.
 */
import { readdirSync } from "node:fs";
import { flushCompileCache } from "node:module";
import { join } from "node:path";

/** Loading these would start something. */
const STARTS = /^(?:main|writer|warm)\.js$/;

for (const name of readdirSync(import.meta.dirname)) {
  if (name.endsWith(".js") && !STARTS.test(name)) await import(join(import.meta.dirname, name));
}
flushCompileCache();
