/**
 * The place of the API's socket: made where it is missing, cleared of what a killed agent left, refused where it is unsafe.
 *
 * A socket that still answers belongs to a live agent and is never taken; a symbolic link or a file that is no socket is
 * never followed and never removed. Reads next: server.ts, which binds.
 */
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  statSync,
  type Stats,
  unlinkSync,
} from "node:fs";
import { createConnection } from "node:net";
import { dirname } from "node:path";

export type SocketErrorCode =
  | "SOCKET_IN_USE" /* a live agent serves on it */
  | "SOCKET_UNSAFE" /* a link, a file, or a directory in which others could replace it */
  | "SOCKET_PATH_TOO_LONG"
  | "SOCKET_UNUSABLE"; /* the system refused, as the cause says */

export class SocketError extends Error {
  override readonly name = "SocketError";
  readonly code: SocketErrorCode;
  constructor(code: SocketErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** unix(7): sun_path has 108 octets with its NUL. */
const SUN_PATH_OCTETS = 107;
/** A live agent's kernel queue answers at once; this is for a machine that swaps. */
const PROBE_TIMEOUT_MS = 1000;

export const DIRECTORY_MODE = 0o750;
export const SOCKET_MODE = 0o660;

/** Creates the directory, removes a dead socket. `gid`: group of a directory that it creates. Throws SocketError. */
export async function prepareSocketPath(path: string, gid: number | undefined): Promise<void> {
  if (Buffer.byteLength(path) > SUN_PATH_OCTETS) {
    throw new SocketError(
      "SOCKET_PATH_TOO_LONG",
      `${path} is longer than the ${SUN_PATH_OCTETS} octets of a socket's path: use a shorter one with --socket`,
    );
  }
  prepareDirectory(dirname(path), gid);
  const there = entryAt(path);
  if (there === undefined) return;
  if (!there.isSocket()) {
    const what = there.isSymbolicLink() ? "a symbolic link" : "not a socket";
    throw new SocketError(
      "SOCKET_UNSAFE",
      `${path} is ${what}: it is left alone; remove it or name another path with --socket`,
    );
  }
  if (await answers(path)) {
    throw new SocketError(
      "SOCKET_IN_USE",
      `another agent serves on ${path}: stop it first, or name another path with --socket`,
    );
  }
  unlinkSync(path);
}

function prepareDirectory(directory: string, gid: number | undefined): void {
  try {
    if (mkdirSync(directory, { recursive: true, mode: DIRECTORY_MODE }) !== undefined) {
      // mkdir(2) subtracts the umask.
      chmodSync(directory, DIRECTORY_MODE);
      if (gid !== undefined) chownSync(directory, -1, gid);
    }
  } catch (cause) {
    throw new SocketError("SOCKET_UNUSABLE", `cannot create ${directory}: ${messageOf(cause)}`, {
      cause,
    });
  }
  const { mode, uid } = statSync(directory);
  const writableByAll = (mode & 0o002) !== 0 && (mode & 0o1000) === 0;
  const own = process.getuid?.() ?? 0;
  if (writableByAll) {
    throw new SocketError(
      "SOCKET_UNSAFE",
      `everybody may write in ${directory} and could replace the socket: chmod o-w ${directory}`,
    );
  }
  if (uid !== 0 && uid !== own) {
    throw new SocketError(
      "SOCKET_UNSAFE",
      `${directory} belongs to uid ${uid}, who could replace the socket: use a directory of root or of uid ${own}`,
    );
  }
}

function entryAt(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

/** Whether something accepts connections there. Only a refusal proves that nobody does. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = createConnection(path);
    probe.setTimeout(PROBE_TIMEOUT_MS, () => finish(true));
    const finish = (live: boolean): void => {
      probe.destroy();
      resolve(live);
    };
    probe.once("connect", () => finish(true));
    probe.once("error", (cause: NodeJS.ErrnoException) => {
      // EAGAIN: its queue is full, so somebody holds it.
      if (cause.code === "ECONNREFUSED" || cause.code === "ENOENT") finish(false);
      else if (cause.code === "EAGAIN") finish(true);
      else
        reject(
          new SocketError(
            "SOCKET_UNUSABLE",
            `cannot tell whether ${path} is in use: ${cause.message}`,
            {
              cause,
            },
          ),
        );
    });
  });
}

const messageOf = (cause: unknown): string =>
  cause instanceof Error ? cause.message : String(cause);
