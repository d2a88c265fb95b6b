/**
 * How fast a refill may go: messages and octets a second, so that it takes little of the network and of this process.
 *
 * Pure: the time is handed in. A pause of any length saves up no more than one second's worth.
 */

export type Rate = { readonly messages: number; readonly octets: number };

export type Pace = {
  /** Counts one message of that size at `nowMillis`; gives how many milliseconds to wait before the next one. */
  spend(octets: number, nowMillis: number): number;
};

const SECOND = 1000;

export function pace({ messages, octets: most }: Rate): Pace {
  let at: number | undefined;
  let messagesLeft = messages;
  let octetsLeft = most;
  return {
    spend(octets, nowMillis) {
      const seconds = (nowMillis - (at ?? nowMillis)) / SECOND;
      at = nowMillis;
      messagesLeft = Math.min(messages, messagesLeft + seconds * messages) - 1;
      octetsLeft = Math.min(most, octetsLeft + seconds * most) - octets;
      const owed = Math.max(-messagesLeft / messages, -octetsLeft / most, 0);
      return Math.ceil(owed * SECOND);
    },
  };
}
