/**
 * Names on the wire of a fleet: streams, subjects, buckets and keys, made of tokens that no name can break out of.
 *
 * Pure text. Server permissions follow from these (`rutter fleet auth`), so a name is made here and nowhere else.
 * Reads next: change-set.ts (what goes by them).
 */

/** Letters, digits, `-` and `_` stay; any other octet of the UTF-8 is `%` and two hexadecimal digits; the empty text is `%`. */
export function token(text: string): string {
  return text === "" ? "%" : escaped(text, "%");
}

/** The same for a key of a KV bucket, which may hold `=` and no `%`. */
export function keyToken(text: string): string {
  return text === "" ? "=" : escaped(text, "=");
}

/** What token() or keyToken() was made of; undefined where it is neither. */
export function untoken(written: string): string | undefined {
  if (written === "%" || written === "=") return "";
  if (!/^(?:[A-Za-z0-9_-]|[%=][0-9A-F]{2})+$/.test(written)) return undefined;
  const octets: number[] = [];
  for (let at = 0; at < written.length; at += 1) {
    const isEscape = written[at] === "%" || written[at] === "=";
    octets.push(
      isEscape ? Number.parseInt(written.slice(at + 1, at + 3), 16) : written.charCodeAt(at),
    );
    if (isEscape) at += 2;
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(octets));
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

function escaped(text: string, mark: "%" | "="): string {
  let made = "";
  for (const octet of new TextEncoder().encode(text)) {
    const char = String.fromCharCode(octet);
    made += /[A-Za-z0-9_-]/.test(char)
      ? char
      : `${mark}${octet.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return made;
}

/** Lanes of the audit stream (design §8): what is wanted and decided, sessions and BFD, routes. */
export type AuditLane = "desired" | "sessions" | "routes";

export type FleetNames = {
  /** Change sets and bases. */
  readonly feedStream: string;
  readonly changes: string;
  readonly bases: string;
  /** Both of them. */
  readonly feed: string;
  /** What hosts tell: their books, checkpoints, dead letters. */
  readonly auditStream: string;
  readonly auditSubjects: readonly string[];
  readonly statusBucket: string;
  readonly readersBucket: string;
};

/** The names of one fleet. */
export function fleetNames(fleet: string): FleetNames {
  const name = token(fleet);
  // The name of a stream or bucket may not hold `%`.
  const plain = keyToken(fleet);
  return {
    feedStream: `rutter-${plain}-feed`,
    changes: `rutter.${name}.feed.change`,
    bases: `rutter.${name}.feed.base`,
    feed: `rutter.${name}.feed.*`,
    auditStream: `rutter-${plain}-audit`,
    auditSubjects: [
      `rutter.${name}.host.*.audit.*`,
      checkpointsOf(fleet),
      `rutter.${name}.host.*.dead`,
    ],
    statusBucket: bucketName(fleet, "status"),
    readersBucket: bucketName(fleet, "readers"),
  };
}

/** A bucket's name takes letters, digits, `-` and `_` only, so the mark of an escape is `_` there; a `_` of the name is one, too. */
function bucketName(fleet: string, what: "status" | "readers"): string {
  return `rutter-${token(fleet).replaceAll("_", "_5F").replaceAll("%", "_")}-${what}`;
}

export type HostNames = {
  audit(lane: AuditLane): string;
  readonly checkpoint: string;
  readonly dead: string;
  /** In the bucket of statuses. */
  readonly statusKey: string;
  /** This host's durable place in the feed. */
  readonly consumer: string;
};

/** The names of one host of a fleet. */
export function hostNames(fleet: string, host: string): HostNames {
  const own = `rutter.${token(fleet)}.host.${token(host)}`;
  return {
    audit: (lane) => `${own}.audit.${lane}`,
    checkpoint: `${own}.checkpoint`,
    dead: `${own}.dead`,
    statusKey: keyToken(host),
    consumer: keyToken(host),
  };
}

/** Checkpoints of all hosts of a fleet, as a filter. */
export const checkpointsOf = (fleet: string): string => `rutter.${token(fleet)}.host.*.checkpoint`;

/** In the bucket of readers: how far `reader` has the host's audit. */
export const readerKey = (reader: string, host: string): string =>
  `${keyToken(reader)}.${keyToken(host)}`;

/** Whose an audit, checkpoint or dead-letter subject is; undefined where it is no such subject of this fleet. */
export function hostOfSubject(fleet: string, subject: string): string | undefined {
  const [root, name, scope, host, ...rest] = subject.split(".");
  const isOurs = root === "rutter" && name === token(fleet) && scope === "host" && rest.length > 0;
  return isOurs && host !== undefined ? untoken(host) : undefined;
}
