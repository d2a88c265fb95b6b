/**
 * Messages on their way to the server: so many and so large at a time, acknowledged in order.
 *
 * What was sent is acknowledged for a cursor up to the first message that was not: a later acknowledgement says nothing of an
 * earlier message. After a failure nothing more is sent, and the first failure is what everybody hears.
 */

/** Whose place moves when its messages land. */
export type Cursor = { confirmed: number; sequence: number };

export type Flight = {
  /** Resolves when there is room for a message of that size; rejects with the first failure. */
  room(octets: number): Promise<void>;
  /** Sends now. When it and all before it have landed, `cursor` stands at `seq`. */
  send(
    cursor: Cursor,
    seq: number,
    octets: number,
    publish: () => Promise<{ readonly sequence: number }>,
  ): void;
  /** Resolves when nothing is on its way; rejects with the first failure. */
  landed(): Promise<void>;
  /** Resolves when nothing is on its way, whatever became of it. */
  over(): Promise<void>;
  /** Whether anything has landed yet. */
  hasLanded(): boolean;
};

type Sent = {
  readonly cursor: Cursor;
  readonly seq: number;
  readonly octets: number;
  /** Its sequence in the stream, once it has landed. */
  sequence: number | undefined;
};

export function flight(most: { readonly messages: number; readonly octets: number }): Flight {
  const sent: Sent[] = [];
  let failure: { readonly error: unknown } | undefined;
  let octetsUp = 0;
  const flying = new Set<Promise<void>>();
  let hasLanded = false;
  let moved = Promise.withResolvers<void>();

  const settle = (): void => {
    for (let first = sent[0]; first?.sequence !== undefined; first = sent[0]) {
      first.cursor.confirmed = first.seq;
      first.cursor.sequence = first.sequence;
      octetsUp -= first.octets;
      sent.shift();
    }
    moved.resolve();
    moved = Promise.withResolvers();
  };
  const check = (): void => {
    if (failure !== undefined) throw failure.error;
  };

  return {
    async room(octets) {
      check();
      while (sent.length > 0 && (sent.length >= most.messages || octetsUp + octets > most.octets)) {
        await moved.promise;
        check();
      }
    },
    send(cursor, seq, octets, publish) {
      const one: Sent = { cursor, seq, octets, sequence: undefined };
      sent.push(one);
      octetsUp += octets;
      const landing = publish()
        .then(
          ({ sequence }) => {
            one.sequence = sequence;
            hasLanded = true;
          },
          (error: unknown) => {
            failure ??= { error };
          },
        )
        .then(() => {
          flying.delete(landing);
          settle();
        });
      flying.add(landing);
    },
    async landed() {
      await Promise.all(flying);
      check();
    },
    async over() {
      await Promise.all(flying);
    },
    hasLanded: () => hasLanded,
  };
}
