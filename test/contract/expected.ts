/**
 * What each router must hold, made of a scenario; and what a router says, brought into the same shape.
 *
 * Pure. This is the one place where backends and routers may differ without being wrong:
 *   - MED: FRR originates `network` routes with MED 0, the native speaker without MED. A route without MED ranks as with the
 *     lowest, 0 (RFC 4271 §9.1.2.2 c), so both are 0 here.
 *   - LOCAL_PREF: between ASes it is not sent (RFC 4271 §5.1.5), and BIRD shows its own 100 then, FRR nothing; both are 100 here.
 *     Inside an AS every speaker must send it.
 *   - Graceful restart: FRR always sends the capability, with no family in it where it only helps (RFC 4724 §3). What counts is
 *     whether the peer is asked to keep routes (../live/router.ts).
 */
import type { Family } from "../../events/address.ts";
import type { RouterRoute, SessionView } from "../live/router.ts";
import type { Step, Told } from "./scenario.ts";
import {
  familiesOf,
  holdTimeOf,
  hostAddress,
  hostAs,
  peerName,
  remoteAddress,
  type Session,
} from "./session.ts";
import { FAR_NAMES, type FarName, isInside, linkAddress } from "./world.ts";

export type Held = Omit<RouterRoute, "best" | "stale" | "localPref" | "med"> & {
  readonly localPref: number;
  readonly med: number;
};
export type HeldBy = Readonly<Partial<Record<FarName, readonly Held[]>>>;
export type SessionHeld = Pick<
  SessionView,
  "established" | "holdTimeSeconds" | "asksToKeepRoutes"
> & { readonly name: string; readonly agentSays: AgentSays };
/** Of one peer, as `rutter peers` has it. */
export type AgentSays = {
  readonly state: string;
  readonly holdTime: number;
  readonly localAs: number;
  /** Prefixes told to it. */
  readonly sent: number;
};

/** After one step. What a step does not ask for is empty. */
export type Seen = {
  readonly after: string;
  readonly held: HeldBy;
  readonly missed: number;
  readonly accepted: Readonly<Partial<Record<FarName, readonly string[]>>>;
  readonly installed: readonly string[];
};

const DEFAULT_LOCAL_PREF = 100;
const familyOfPrefix = (prefix: string): Family => (prefix.includes(":") ? "ipv6" : "ipv4");
const compare = (a: Held, b: Held): number =>
  `${a.prefix} ${a.from}` < `${b.prefix} ${b.from}` ? -1 : 1;

/** A router's own table of the host's routes, fresh ones alone. */
export const heldOf = (routes: readonly RouterRoute[]): readonly Held[] =>
  routes
    .filter(({ stale }) => !stale)
    .map(({ best: _best, stale: _stale, localPref, med, ...rest }) => ({
      ...rest,
      localPref: localPref ?? DEFAULT_LOCAL_PREF,
      med: med ?? 0,
    }))
    .toSorted(compare);

function heldOver(session: Session, told: Told): Held {
  const family = familyOfPrefix(told.prefix);
  const inside = isInside(session.far);
  return {
    prefix: told.prefix,
    from: hostAddress(session),
    nextHop: told.nextHop ?? linkAddress("host", family, session.lane),
    asPath: inside ? [] : [hostAs(session)],
    origin: "igp",
    localPref: inside ? (told.localPref ?? DEFAULT_LOCAL_PREF) : DEFAULT_LOCAL_PREF,
    med: told.med ?? 0,
    communities: told.communities ?? [],
    largeCommunities: told.largeCommunities ?? [],
  };
}

const isToldOver = (session: Session, { at, over, prefix }: Told): boolean =>
  (at ?? FAR_NAMES).includes(session.far) &&
  (over === undefined || over === session) &&
  familiesOf(session).includes(familyOfPrefix(prefix));

/** The routers that have a session in this group. */
export const farsOf = (sessions: readonly Session[]): readonly FarName[] =>
  FAR_NAMES.filter((far) => sessions.some((one) => one.far === far));

export function heldWanted(sessions: readonly Session[], told: readonly Told[]): HeldBy {
  const at = (far: FarName) =>
    sessions
      .filter((session) => session.far === far)
      .flatMap((session) =>
        told.filter((one) => isToldOver(session, one)).map((one) => heldOver(session, one)),
      )
      .toSorted(compare);
  return Object.fromEntries(farsOf(sessions).map((far) => [far, at(far)]));
}

export const wantedOf = (sessions: readonly Session[], step: Step): Seen => ({
  after: step.after,
  held: heldWanted(sessions, step.told),
  missed: 0,
  accepted: step.accepted ?? {},
  installed: step.installed ?? [],
});

export const sessionWanted = (session: Session, told: readonly Told[]): SessionHeld => ({
  name: peerName(session),
  established: true,
  holdTimeSeconds: holdTimeOf(session),
  asksToKeepRoutes: session.gracefulRestart === true,
  agentSays: {
    state: "Established",
    holdTime: holdTimeOf(session),
    localAs: hostAs(session),
    sent: told.filter((one) => isToldOver(session, one)).length,
  },
});

export const sessionSeen = (
  session: Session,
  view: SessionView,
  { state, holdTime, localAs, sent }: AgentSays,
): SessionHeld => ({
  name: peerName(session),
  established: view.established,
  holdTimeSeconds: view.holdTimeSeconds,
  asksToKeepRoutes: view.asksToKeepRoutes,
  agentSays: { state, holdTime, localAs, sent },
});

/** `10.99.0.2` of the agent's answer → the router. */
export const farAt = (sessions: readonly Session[], address: string | null): FarName | undefined =>
  sessions.find((session) => remoteAddress(session) === address)?.far;
