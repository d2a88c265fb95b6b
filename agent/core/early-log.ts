/**
 * The log's writer, started before the rest of the agent is loaded: its thread opens the database meanwhile.
 *
 * Small on purpose: what this file imports holds the thread's start up. Reads next: book.ts, which takes the opened log.
 */
import { hostname } from "node:os";
import { startWriter, type Writer } from "../../events/log/open-log.ts";
import { hostId, programVersion } from "../identity.ts";

export const startLog = (directory: string): Writer =>
  startWriter({ directory, host: hostId(), program: `${programVersion()} on ${hostname()}` });
