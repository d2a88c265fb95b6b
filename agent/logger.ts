/**
 * The program's own log lines: JSON on standard error, where systemd's journal takes them.
 *
 * The one door of pino. These lines are for whoever looks after the process; what happened to routing stands in the event
 * log. Fields that could hold a secret are removed by name, whoever passes them.
 */
import { destination, pino } from "pino";
import type { Logger } from "../backends/clock.ts";

export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

/** As in agent/secrets/redact.ts, which does the same to free text. */
const SECRET_FIELDS = ["password", "secret", "md5", "token"] as const;

/** Standard output belongs to the line `ready` and to what commands print. */
const STANDARD_ERROR = 2;

export function createLogger(level: LogLevel): Logger {
  const logger = pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      redact: {
        paths: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`]),
        censor: "[removed]",
      },
    },
    // Written at once: the last line before a crash is the one that is wanted.
    destination({ dest: STANDARD_ERROR, sync: true }),
  );
  return {
    info: (fields, message) => logger.info(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message) => logger.error(fields, message),
  };
}
