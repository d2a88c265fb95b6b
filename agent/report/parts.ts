/**
 * Puts facts that travelled in parts together again.
 *
 * Pure. Parts of one lane stand in order; a part that does not follow the one before begins nothing and ends what was begun,
 * because the outbox tells a fact again from its first part whenever it tells it again. Reads next: message.ts.
 */
import { type Message, partOf } from "./message.ts";

export type Assembler = {
  /** `lane` names host and lane. The whole fact, once its last part is there; a message without parts is whole by itself. */
  push(lane: string, message: Message): Message | undefined;
};

/** A fact of 64 MiB that does not shrink; more is nobody's fact. Of one host at a time that is bounded by its lanes. */
const OCTETS_LIMIT = 64 * 1024 * 1024;

type Begun = { readonly seq: string; readonly bodies: Uint8Array[]; octets: number };

export function assembler(): Assembler {
  const begun = new Map<string, Begun>();
  return {
    push(lane, message) {
      const { headers, body } = message;
      const part = partOf(headers);
      // What is no part is no fact, which readFact() says.
      if (part === undefined || part.count === 1) {
        begun.delete(lane);
        return message;
      }
      const seq = `${headers["Rutter-Seq"]} ${headers["Rutter-Hash"]} ${part.count}`;
      if (part.index === 1) begun.set(lane, { seq, bodies: [], octets: 0 });
      const one = begun.get(lane);
      const follows = one?.seq === seq && one.bodies.length === part.index - 1;
      if (!follows || one.octets + body.length > OCTETS_LIMIT) {
        begun.delete(lane);
        return undefined;
      }
      one.bodies.push(body);
      one.octets += body.length;
      if (part.index < part.count) return undefined;
      begun.delete(lane);
      return { headers, body: Buffer.concat(one.bodies) };
    },
  };
}
