/**
 * The audit stream of a whole fleet, message by message: whose it is, whether it is believed, and what is new in it.
 *
 * Does no I/O and ends at nothing: whatever a message holds, it is a fact, a word about something that does not add up, or
 * both. Reads next: reading.ts (one host), message.ts.
 */
import type { StoredMessage } from "../fleet/io/connection.ts";
import { hostOfSubject } from "../fleet/subjects.ts";
import { type Checkpoint, readCheckpoint } from "./checkpoint.ts";
import { isGivenUp, type KnownHost } from "./heads.ts";
import { isLane, type Lane } from "./lanes.ts";
import { type AuditFact, readFact } from "./message.ts";
import { assembler } from "./parts.ts";
import type { LaneSeqs } from "./positions.ts";
import { type Finding, type HostReading, hostReading, type LaneGap } from "./reading.ts";

/** A fact that was not read before. */
export type NewFact = { readonly host: string; readonly lane: Lane; readonly fact: AuditFact };

export type Word = {
  readonly host: string;
  readonly text: string;
  /** `passing`: it may still change, and is told for who watches; `note`: worth knowing, and nothing is wrong. */
  readonly weight: "fault" | "note" | "passing";
};

export type Taken = { readonly fact: NewFact | undefined; readonly words: readonly Word[] };

export type AuditReader = {
  /** `created`: of the stream that the message stands in. */
  take(message: StoredMessage, created: string): Promise<Taken>;
  /** Every host that was heard of. */
  readonly hosts: ReadonlyMap<string, HostReading>;
};

export type AuditReaderPlan = {
  readonly fleet: string;
  /** undefined: all. */
  readonly lane: Lane | undefined;
  readonly known: (host: string) => KnownHost | undefined;
  readonly positions: (host: string) => LaneSeqs;
  /** A host whose log and key are taken as they are now. */
  readonly accept?: string | undefined;
  /** Keys that are a host's, by fleet.yaml; none: the first that is heard. */
  readonly pins?: ReadonlyMap<string, readonly string[]>;
};

/** A gap is one only where it is still there in the end: a message that was lost on the way is told again behind later ones. */
const WEIGHTS: Readonly<Record<Finding["type"], Word["weight"]>> = {
  gap: "passing",
  "begins-behind": "passing",
  accepted: "note",
  rewritten: "fault",
  "other-key": "fault",
  "not-pinned": "fault",
  "new-key": "note",
  unsigned: "fault",
};
const NOTHING: Taken = { fact: undefined, words: [] };
/** Of a dead letter. */
const SHOWN_CHARACTERS = 500;

export function auditReader({
  fleet,
  lane,
  known,
  positions,
  accept,
  pins,
}: AuditReaderPlan): AuditReader {
  const hosts = new Map<string, HostReading>();
  const parts = assembler();
  const of = (host: string): HostReading => {
    const before = hosts.get(host);
    if (before !== undefined) return before;
    const made = hostReading(known(host), positions(host), host === accept, pins?.get(host));
    hosts.set(host, made);
    return made;
  };
  const only = (host: string, text: string): Taken => ({
    fact: undefined,
    words: [{ host, text, weight: "fault" }],
  });
  const wordsOf = (host: string, findings: readonly Finding[]): readonly Word[] =>
    findings.map((finding) => ({
      host,
      text: textOf(finding),
      weight: WEIGHTS[finding.type],
    }));

  async function takeFact(
    host: string,
    from: Lane,
    message: StoredMessage,
    created: string,
  ): Promise<Taken> {
    const whole = parts.push(`${host} ${from}`, message);
    if (whole === undefined) return NOTHING;
    const read = await readFact(whole, { fleet, host, lane: from });
    if (!read.ok) return only(host, `message ${message.sequence} is not believed: ${read.reason}`);
    const { isNew, findings } = of(host).fact(from, read.fact, {
      created,
      sequence: message.sequence,
    });
    return {
      fact: isNew ? { host, lane: from, fact: read.fact } : undefined,
      words: wordsOf(host, findings),
    };
  }

  return {
    hosts,
    async take(message, created) {
      const host = hostOfSubject(fleet, message.subject);
      const [, , , , what, from = ""] = message.subject.split(".");
      const place = { created, sequence: message.sequence };
      if (host !== undefined && isGivenUp(known(host), place)) return NOTHING;
      if (host !== undefined && what === "audit" && isLane(from)) {
        if (lane === undefined || lane === from) {
          return takeFact(host, from, message, created);
        }
      } else if (host !== undefined && what === "checkpoint") {
        const read = readCheckpoint(message, { fleet, host });
        if (!read.ok) return only(host, `a checkpoint is not believed: ${read.reason}`);
        const findings = of(host).checkpoint(read.checkpoint, place);
        return { fact: undefined, words: wordsOf(host, findings) };
      } else if (host !== undefined && what === "dead") {
        const text = new TextDecoder().decode(message.body).slice(0, SHOWN_CHARACTERS);
        const word = { host, text: `could not take something of the feed: ${text}` };
        return { fact: undefined, words: [{ ...word, weight: "note" }] };
      }
      return NOTHING;
    },
  };
}

const gapText = ({ lane, from, to }: LaneGap): string =>
  `${lane}: facts above seq ${from} and up to seq ${to} are missing`;

/** What is missing in the end, with what its host says of it. `isLimited`: of the stream (StreamInfo). */
export function missingText(reading: HostReading, gap: LaneGap, isLimited: boolean): string {
  return `${gapText(gap)}: ${fateOf(reading.newest(), gap)}${
    isLimited ? "; the stream's own limits let messages go" : ""
  }`;
}

function fateOf(newest: Checkpoint | undefined, { lane, from, to }: LaneGap): string {
  if (newest === undefined) return "nothing is known of its host, which alone can fill it";
  if (newest.lanes[lane] === undefined) return "its host does not tell this lane any more";
  const said = newest.held?.missing.find(
    (one) => one.lane === lane && one.from < to && one.to > from,
  );
  switch (said?.why) {
    case "read":
      return "every reader that has a name had read it when it was taken out, so it is not filled";
    case "limits":
      return "it cannot be filled, for the stream has limits that would take it again";
    case "log":
      return "it cannot be filled, for the host's own log lacks it";
    case undefined:
      return "its host fills it while it is connected";
  }
}

function textOf(finding: Finding): string {
  switch (finding.type) {
    case "gap":
      return gapText(finding);
    case "begins-behind":
      return `${finding.lane}: the stream begins behind seq ${finding.to}`;
    case "accepted":
      return `its log was written anew, and is accepted as it is: ${finding.reason}`;
    case "rewritten":
      return `ITS LOG WAS WRITTEN ANEW: ${finding.reason}`;
    case "not-pinned":
      return `NOT ITS PINNED KEY, and not believed: ${finding.reason}`;
    case "new-key":
      return `ITS KEY HAS CHANGED: ${finding.reason}`;
    case "other-key":
      return `ANOTHER KEY: ${finding.reason}`;
    case "unsigned":
      return `is not believed: ${finding.reason}`;
  }
}
