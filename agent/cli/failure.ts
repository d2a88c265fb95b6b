/**
 * What ends a command: a sentence for the operator and an exit code (design §8: 1 refused or failed, 2 usage).
 *
 * Nothing here is printed with a stack; what is not a Failure is our bug and keeps its own.
 */

export type FailureCode =
  | "AGENT_NOT_RUNNING"
  | "AGENT_UNREACHABLE"
  | "AGENT_LEFT" /* the answer broke off */
  | "REFUSED" /* the agent said no; its own code is in the message */
  | "CHANGE_REFUSED" /* said already, line by line */
  | "USAGE"
  | "UNREADABLE";

export class Failure extends Error {
  override readonly name = "Failure";
  readonly code: FailureCode;
  constructor(code: FailureCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export const exitCode = (failure: Failure): 1 | 2 => (failure.code === "USAGE" ? 2 : 1);
