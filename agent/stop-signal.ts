/**
 * The signals that end a process of ours in order.
 */

/** Resolves with the first of SIGTERM and SIGINT. */
export const stopSignal = (): Promise<string> =>
  new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const)
      process.once(signal, () => resolve(signal));
  });
