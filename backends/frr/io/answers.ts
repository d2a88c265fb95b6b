/**
 * Answers of a daemon's vty socket, cut from the octets in which they arrive.
 *
 * Each is text, three NULs and a status octet (FRR lib/vty.c, vtysh_read). The text holds no NUL, so the first one ends it
 * wherever the octets were cut. Pure but for what it collects. Reads next: vty.ts.
 */

export type VtyAnswer = {
  readonly text: string;
  /** 0: done. Anything else is a refusal: 1 and 13 with FRR's reason as text, 2 for a command that it does not know. */
  readonly status: number;
};

export const isDone = ({ status }: VtyAnswer): boolean => status === 0;

/** NULs between a text and its status. */
const NULS = 3;
const NOTHING = Buffer.alloc(0);

export class NotAnAnswer extends Error {
  override readonly name = "NotAnAnswer";
}

export type AnswerReader = {
  /** Answers that these octets complete, in order. Throws NotAnAnswer for what no vty says, and for a text beyond the limit. */
  take(octets: Buffer): VtyAnswer[];
};

export function answerReader(limitOctets: number): AnswerReader {
  let parts: Buffer[] = [];
  let size = 0;
  let nuls = 0;

  const keep = (part: Buffer): void => {
    size += part.length;
    if (size > limitOctets)
      throw new NotAnAnswer(`an answer of more than ${limitOctets} octets is not read`);
    parts.push(part);
  };
  const finished = (status: number): VtyAnswer => {
    const text = Buffer.concat(parts).toString("utf8");
    parts = [];
    size = 0;
    nuls = 0;
    return { text, status };
  };

  return {
    take(octets) {
      const answers: VtyAnswer[] = [];
      let rest = octets;
      while (rest.length > 0) {
        if (nuls === 0) {
          const end = rest.indexOf(0);
          keep(end < 0 ? rest : rest.subarray(0, end));
          nuls = end < 0 ? 0 : 1;
          rest = end < 0 ? NOTHING : rest.subarray(end + 1);
          continue;
        }
        const octet = rest[0] ?? 0;
        rest = rest.subarray(1);
        if (nuls === NULS) answers.push(finished(octet));
        else if (octet === 0) nuls += 1;
        else throw new NotAnAnswer(`octet ${octet} where an answer ends`);
      }
      return answers;
    },
  };
}
