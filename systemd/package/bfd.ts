/**
 * The BFD process as rutter-bfd.service starts it: no command line but its own, and no code but its own.
 *
 * Bundled apart from the program, so that an upgrade which leaves this code alone leaves the running process alone, too.
 */
import { parseArgs } from "node:util";
import { runBfd } from "../../agent/serve-bfd.ts";

/** As `rutter bfd serve` has them. */
const { values } = parseArgs({
  options: {
    socket: { type: "string", default: "/run/rutter/bfd.sock" },
    keep: { type: "string", default: "300" },
  },
});
await runBfd({ socket: values.socket, keep: Number(values.keep) });
