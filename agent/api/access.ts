/**
 * Who is at the other end of the socket, and what they may do (design §8).
 *
 * uid 0, the agent's own uid and group `rutter-admin` write; group `rutter` reads; nobody else gets an answer. The groups are
 * those of the process that connected (/proc/PID/status), not those that /etc/group would give its user now. Never decides
 * by anything that the client says of itself. Reads next: server.ts.
 */
import { readFileSync } from "node:fs";

/** SO_PEERCRED: the process that connected, as the kernel noted it then; pid 0 where it lives in another pid namespace. */
export type Credentials = { readonly pid: number; readonly uid: number; readonly gid: number };

export type Role = "write" | "read" | "none";

export type Peer = { readonly uid: number; readonly name: string; readonly role: Role };

/** What the host says about users; read anew for each connection, because groups change while the agent runs. */
export type HostUsers = {
  readonly ownUid: number;
  /** Text of /etc/passwd and /etc/group; empty where they cannot be read. */
  passwd(): string;
  group(): string;
  /** Text of /proc/PID/status; undefined where the process is gone. */
  processStatus(pid: number): string | undefined;
};

export const WRITE_GROUP = "rutter-admin";
export const READ_GROUP = "rutter";

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

export const thisHost: HostUsers = {
  ownUid: process.getuid?.() ?? 0,
  passwd: () => textOf("/etc/passwd") ?? "",
  group: () => textOf("/etc/group") ?? "",
  processStatus: (pid) => textOf(`/proc/${pid}/status`),
};

/** A user that the host does not name is `uid:1234`. */
export function userName(passwd: string, uid: number): string {
  const line = passwd.split("\n").find((one) => one.split(":")[2] === String(uid));
  return line?.split(":")[0] ?? `uid:${uid}`;
}

/** The id of a group, where the host has it. */
export function groupId(group: string, name: string): number | undefined {
  const field = group
    .split("\n")
    .map((one) => one.split(":"))
    .find(([first]) => first === name)?.[2];
  return field === undefined ? undefined : Number(field);
}

/** The group that the socket is given; only root may give a file to a group that it is not in. */
export const socketGroup = (host: HostUsers): number | undefined =>
  host.ownUid === 0 ? groupId(host.group(), READ_GROUP) : undefined;

/** The supplementary groups of a process; none where it is not the user's whom the kernel named (its pid was reused). */
export function processGroups(status: string, uid: number): readonly number[] {
  const numbers = (key: string): readonly number[] =>
    (new RegExp(`^${key}:(.*)$`, "m").exec(status)?.[1] ?? "")
      .split(/\s+/)
      .filter((one) => one !== "")
      .map(Number);
  // proc(5): real, effective, saved and filesystem uid; SO_PEERCRED gave the effective one.
  return numbers("Uid")[1] === uid ? numbers("Groups") : [];
}

export function peerOf({ pid, uid, gid }: Credentials, host: HostUsers): Peer {
  const name = userName(host.passwd(), uid);
  if (uid === 0 || uid === host.ownUid) return { uid, name, role: "write" };
  const groups = new Set([gid, ...processGroups(host.processStatus(pid) ?? "", uid)]);
  const isMember = (wanted: string): boolean => {
    const id = groupId(host.group(), wanted);
    return id !== undefined && groups.has(id);
  };
  return {
    uid,
    name,
    role: isMember(WRITE_GROUP) ? "write" : isMember(READ_GROUP) ? "read" : "none",
  };
}
