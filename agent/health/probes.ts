/**
 * Probes that open a connection: tcp and http.
 *
 * A probe answers with a Result in any case and leaves nothing behind, also when it is aborted. It decides nothing: how
 * many results make a Service healthy is rise-fall.ts. Without an address in the check it asks the Service's own, from that
 * same address: where it is not on this host the kernel refuses, and no other host can answer in our place.
 * Reads next: exec-probe.ts.
 */
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { connect, isIPv6, type Socket } from "node:net";
import type { Address } from "../../events/address.ts";
import type { Check } from "../../events/resources/service-endpoint.ts";
import type { PlannedCheck } from "./plan-checks.ts";
import type { Result } from "./rise-fall.ts";

/** Resolves within the check's timeout or soon after `signal`; never rejects. */
export type Probe = (planned: PlannedCheck, signal: AbortSignal) => Promise<Result>;

type Target = {
  readonly host: Address;
  readonly port: number;
  readonly localAddress?: Address;
};

/** The primary address where the check names none. */
function targetOf(
  check: { readonly port: number; readonly address?: Address },
  planned: PlannedCheck,
): Target {
  if (check.address !== undefined) return { host: check.address, port: check.port };
  const [own] = planned.addresses;
  if (own === undefined) throw new Error(`${planned.service} is checked without an address`);
  return { host: own, port: check.port, localAddress: own };
}

const written = ({ host, port }: Target): string =>
  isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;

export function probeTcp(
  check: Extract<Check, { type: "tcp" }>,
  planned: PlannedCheck,
  signal: AbortSignal,
): Promise<Result> {
  const target = targetOf(check, planned);
  return settled(planned, signal, target, (answer) => {
    const socket: Socket = connect({ ...target, autoSelectFamily: false });
    socket.once("connect", () =>
      answer({ ok: true, reason: `${written(target)} accepts connections` }),
    );
    socket.on("error", (error) => answer(failed(target, error)));
    return () => socket.resetAndDestroy();
  });
}

export function probeHttp(
  check: Extract<Check, { type: "http" }>,
  planned: PlannedCheck,
  signal: AbortSignal,
): Promise<Result> {
  const target = targetOf(check, planned);
  const { from, to } = check.expectStatus;
  const request = check.scheme === "https" ? requestHttps : requestHttp;
  return settled(planned, signal, target, (answer) => {
    const asked = request({
      ...target,
      path: check.path,
      agent: false,
      // A check asks if it is alive, not who it is: certificates of hosts are seldom made out to a virtual address.
      rejectUnauthorized: false,
      headers: {
        host: check.host ?? written(target),
        "user-agent": "rutter-check",
        connection: "close",
      },
    });
    // The head is enough, and a redirect is an answer like any other: it is not followed.
    asked.once("response", (response) => {
      const status = response.statusCode ?? 0;
      const expected = from === to ? `${from}` : `${from} to ${to}`;
      const ok = status >= from && status <= to;
      const wanted = ok ? "" : `, expected ${expected}`;
      answer({ ok, reason: `${written(target)}${check.path} answers ${status}${wanted}` });
    });
    asked.on("error", (error) => answer(failed(target, error)));
    asked.end();
    return () => asked.destroy();
  });
}

/** Runs one attempt to its first answer, its timeout or its abortion, and always ends it. */
function settled(
  { timeoutSeconds }: PlannedCheck,
  signal: AbortSignal,
  target: Target,
  attempt: (answer: (result: Result) => void) => () => void,
): Promise<Result> {
  return new Promise((resolve) => {
    let end: (() => void) | undefined;
    const answer = (result: Result): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
      end?.();
      resolve(result);
    };
    const abort = (): void => answer({ ok: false, reason: "the check was ended" });
    const timer = setTimeout(
      () =>
        answer({
          ok: false,
          reason: `${written(target)} gave no answer in ${timeoutSeconds} s`,
        }),
      timeoutSeconds * 1000,
    );
    signal.addEventListener("abort", abort);
    end = attempt(answer);
    if (signal.aborted) abort();
  });
}

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "refuses connections",
  ECONNRESET: "ends the connection without an answer",
  EHOSTUNREACH: "cannot be reached: no host there",
  ENETUNREACH: "cannot be reached: no route",
  ETIMEDOUT: "gave no answer",
  EADDRNOTAVAIL:
    "cannot be asked: the address is on no interface of this host; bind it, or name an address in the check",
};

function failed(target: Target, error: Error): Result {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  const words = Object.hasOwn(WORDS, code) ? WORDS[code] : undefined;
  // What the far end sent stays out of the reason; a code of Node's or of the TLS library says enough.
  return { ok: false, reason: `${written(target)} ${words ?? `fails: ${code || error.name}`}` };
}
