/**
 * Storms made small: of facts that come faster than a budget, each subject's newest is told, with how many it stands for.
 *
 * Pure. It goes by the facts' own clock, not by when they are sent, so that a refill tells the same as the first time did.
 * A window opens with its first fact. The first `budget` facts pass at once; of what follows the newest of each subject waits
 * for the window's end, which is so late that the average stays within the budget however many subjects there are. Facts
 * leave in order of seq, and no subject waits for more than one window.
 */

export type Candidate = {
  readonly seq: number;
  readonly subject: string;
  /** Monotonic milliseconds of its birth; comparable where `boot` is equal. */
  readonly millis: number;
  readonly boot: string;
};

export type Told = {
  readonly seq: number;
  /** Facts of the same subject that are not told, because this one is newer. */
  readonly standsFor: number;
};

export type Coalescer = {
  /** What is to be told now, in order of seq. `candidate.seq` grows from call to call. */
  push(candidate: Candidate): readonly Told[];
  /** The window in which facts wait: its first seq, and how many milliseconds after that one it ends; undefined: none wait. */
  waiting(): { readonly opened: number; readonly spanMillis: number } | undefined;
  /** Ends the window: what waited. */
  close(): readonly Told[];
};

const WINDOW_MILLIS = 1000;
/** Subjects are sessions, endpoints and kernel entries; a window with more ends early rather than take more memory. */
const HELD_LIMIT = 10_000;

/** `budget`: facts a second, above 0; Infinity: everything passes. */
export function coalescer(budget: number): Coalescer {
  let opened: Candidate | undefined;
  let passed = 0;
  const held = new Map<string, Told>();

  const spanMillis = (): number =>
    WINDOW_MILLIS * Math.max(1, Math.ceil((passed + held.size) / budget));
  const close = (): readonly Told[] => {
    const told = [...held.values()].toSorted((a, b) => a.seq - b.seq);
    held.clear();
    opened = undefined;
    passed = 0;
    return told;
  };
  const isOver = ({ millis, boot }: Candidate): boolean =>
    opened !== undefined &&
    (boot !== opened.boot ||
      millis < opened.millis ||
      millis >= opened.millis + spanMillis() ||
      held.size >= HELD_LIMIT);

  return {
    push(candidate) {
      const before = isOver(candidate) ? close() : [];
      opened ??= candidate;
      const { seq, subject } = candidate;
      if (held.size === 0 && passed < budget) {
        passed += 1;
        return [...before, { seq, standsFor: 0 }];
      }
      const older = held.get(subject);
      held.set(subject, { seq, standsFor: older === undefined ? 0 : older.standsFor + 1 });
      return before;
    },
    waiting: () =>
      opened === undefined || held.size === 0
        ? undefined
        : { opened: opened.seq, spanMillis: spanMillis() },
    close,
  };
}
