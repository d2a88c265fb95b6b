/**
 * A daemon's configuration as a tree of lines, in the daemon's own spelling.
 *
 * The one shape between what is read (parse.ts), what is wanted (../render/) and the commands from there to here (difference.ts).
 * A line is what `show running-config` prints, without indentation; its children are the lines of the node that it opens.
 * Order matters only among the children of one line, and there only for what FRR itself keeps in order.
 */

/** Lines, each with the lines beneath it; a leaf has none. */
export type ConfigTree = ReadonlyMap<string, ConfigTree>;

export const NO_LINES: ConfigTree = new Map();

/** A tree of leaves. */
export const leaves = (lines: Iterable<string>): ConfigTree =>
  new Map([...lines].map((line) => [line, NO_LINES]));
