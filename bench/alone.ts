/**
 * A network namespace of its own for a measurement: the agent binds virtual IPs, and the machine's own network is never touched.
 *
 * Needs root and unshare(1). Reads next: wire.ts, restart.ts.
 */
import { spawnSync } from "node:child_process";

const INSIDE = "RUTTER_BENCH_ALONE";
const SCRIPT = 'ip link set lo up && exec "$0" "$@"';
/** Processes, too: whatever ends this one ends what it started. */
const APART = ["--net", "--pid", "--fork", "--kill-child", "--mount-proc"];

/** Runs this very program again inside, and ends with it; returns only there. Before anything is opened. */
export function alone(): void {
  if (process.env[INSIDE] !== undefined) return;
  const again = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const { status } = spawnSync("unshare", [...APART, "sh", "-c", SCRIPT, ...again], {
    stdio: "inherit",
    env: { ...process.env, [INSIDE]: "1" },
  });
  process.exit(status ?? 1);
}
