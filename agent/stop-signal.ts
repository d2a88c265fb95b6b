/**
 * The signals that end a process of ours in order.
 */

/** Another run goes on at once with what this one leaves: nobody is told of the end (the package sends it at an upgrade). */
export const HANDOVER = "SIGUSR2";

/** Resolves with the first of SIGTERM, SIGINT and HANDOVER. */
export const stopSignal = (): Promise<string> =>
  new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT", HANDOVER] as const)
      process.once(signal, () => resolve(signal));
  });
