/**
 * Stored bodies → today's events: the only place that knows how bodies looked in older versions.
 *
 * An upcaster lifts a body by one version and is never changed once released; the test fixtures hold a row of each version.
 * Bodies come from our own log, whose chain is verified, so their shape is believed; type and version are not.
 */
import { type Event, type EventType, versions } from "./event.ts";

type Body = Readonly<Record<string, unknown>>;

/** upcasters[type][n] lifts a body of version n + 1 to version n + 2. */
const upcasters: Partial<Record<EventType, readonly ((body: Body) => Body)[]>> = {};

export type Upcast =
  | { readonly ok: true; readonly event: Event }
  | { readonly ok: false; readonly reason: string };

/** Reads a stored body. A type or version that this program does not know was written by a newer one: refused with that reason. */
export function upcast(type: string, version: number, body: Body): Upcast {
  if (!Object.hasOwn(versions, type)) {
    return { ok: false, reason: `event type "${type}" is unknown to this version of rutter` };
  }
  const known = type as EventType;
  if (version > versions[known]) {
    return {
      ok: false,
      reason: `event "${type}" has version ${version}; this rutter reads up to ${versions[known]}: use the newer one`,
    };
  }
  const lifted = (upcasters[known] ?? []).slice(version - 1).reduce((old, lift) => lift(old), body);
  return { ok: true, event: { ...lifted, type: known } as unknown as Event };
}

/** The inverse for writing: the body without its type, which the header holds. */
export function bodyOf(event: Event): Body {
  const { type: _type, ...body } = event;
  return body;
}
