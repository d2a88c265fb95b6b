/**
 * Makes FRR's daemons what an intent says: by the difference to what they run, or, where routes alone changed, by those.
 *
 * Sends nothing where nothing differs. Remembers of a daemon only what it read or was told by it, and nothing of one that was restarted.
 * Calls must not overlap: ../frr/frr-backend.ts sees to it. Reads next: config/scope.ts, config/difference.ts, send.ts.
 */
import type { NeighborKey } from "../../events/ids.ts";
import { BackendError, type Refused, type RevealSecret } from "../backend.ts";
import type { Logger } from "../clock.ts";
import { classify, routeChanges } from "../delta.ts";
import { NO_SPEAKER, type RouterIntent, type SpeakerIntent } from "../intent.ts";
import type { TakeOver } from "./choice.ts";
import { clearsOf } from "./config/clears.ts";
import {
  type Change,
  type Command,
  difference,
  isNoChange,
  type Scope,
} from "./config/difference.ts";
import { hasMonitor, withMonitor } from "./config/monitor.ts";
import { parseRunning } from "./config/parse.ts";
import { type Effect, overlay } from "./config/raw.ts";
import { ADDITIVE, importCheckProblem, judge, profileScope } from "./config/scope.ts";
import { type ConfigTree, NO_LINES } from "./config/tree.ts";
import { peerOfLine, vrfOfRouter, withoutSecret } from "./config/words.ts";
import type { Vty } from "./io/vty.ts";
import { isDone } from "./io/answers.ts";
import { createRawLines } from "./raw-lines.ts";
import { namesIn } from "./render/named-lists.ts";
import { neighborId, peerOf } from "./render/names.ts";
import { tagsOf } from "./render/numbers.ts";
import { render, type Rendered, type RenderMemo } from "./render/render.ts";
import { routeLines } from "./render/routes.ts";
import { type Refusal, sendChange } from "./send.ts";
import { frrVersionOf } from "./version.ts";

export type Made = {
  readonly refused: readonly Refused[];
  /** What was sent to bgpd, for people; empty where nothing differed. */
  readonly sent: readonly string[];
  /** Whether that took back only what nothing names any more, such as the class of routes that have gone. */
  readonly isTidying: boolean;
};

export type ConfiguratorOptions = {
  readonly bgpd: Vty;
  readonly bfdd: Vty | undefined;
  readonly zebra: Vty | undefined;
  readonly reveal: RevealSecret;
  readonly logger: Logger;
  /** Neighbours that an earlier run of the agent configured, from its log. */
  readonly ours: ReadonlySet<NeighborKey>;
  readonly takeOver: TakeOver;
  /** Where bgpd is to tell of its sessions by BMP; asked only where it can. */
  readonly monitorPort?: (() => Promise<number | undefined>) | undefined;
};

export type Configurator = {
  /** Reads what runs, and sends the difference. Rejects with BackendError where a daemon does not answer. */
  whole(intent: SpeakerIntent): Promise<Made>;
  /** False, and nothing is sent, unless nothing but routes changed since a whole() that was taken without a word. */
  quick(intent: SpeakerIntent): Promise<boolean>;
};

type Known = {
  readonly intent: SpeakerIntent;
  readonly classes: Rendered["classes"];
  readonly losses: number;
};

const SHOW = "show running-config";

export function createConfigurator(options: ConfiguratorOptions): Configurator {
  const { bgpd, bfdd, zebra, reveal, logger } = options;
  const raw = createRawLines(reveal);
  const memo: RenderMemo = new WeakMap();
  let ours = options.ours;
  let profiles: ReadonlySet<string> = new Set();
  let known: Known | undefined;
  let rawLosses = bgpd.losses();
  let warned = "";

  const read = async (vty: Vty): Promise<ConfigTree> => parseRunning(await vty.show(SHOW));
  const warnOnce = (problem: string | undefined): void => {
    if (problem !== undefined && problem !== warned) logger.warn({ problem }, "FRR");
    warned = problem ?? "";
  };

  /** Neither zebra nor bfdd keeps bgpd from being told: what they miss is said, and brought when they answer. */
  const besides = async (
    send: () => Promise<readonly Refusal[]>,
    problems: string[],
  ): Promise<readonly Refusal[]> => {
    try {
      return await send();
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      problems.push(error.message);
      return [];
    }
  };

  const addTo = async (vty: Vty | undefined, wanted: ConfigTree): Promise<readonly Refusal[]> =>
    vty === undefined || wanted.size === 0
      ? []
      : sendChange(vty, difference(await read(vty), wanted, ADDITIVE));

  /** Profiles that nobody is told any more. */
  const tidyProfiles = async (wanted: ConfigTree): Promise<readonly Refusal[]> => {
    const before = profiles;
    const node = wanted.get("bfd") ?? NO_LINES;
    profiles = new Set(node.keys());
    if (bfdd === undefined || before.size + profiles.size === 0) return [];
    const all = new Map([["bfd", node]]);
    return sendChange(
      bfdd,
      difference(await read(bfdd), all, profileScope(new Set([...before, ...profiles]))),
    );
  };

  /** A bgpd without the module is told nothing of BMP. */
  const monitored = async (wanted: ConfigTree): Promise<ConfigTree> => {
    const { monitorPort } = options;
    if (monitorPort === undefined || !hasMonitor(await bgpd.show("show modules"))) return wanted;
    const port = await monitorPort();
    return port === undefined ? wanted : withMonitor(wanted, port);
  };

  const clearWhatIsLeft = async (current: ConfigTree, change: Change): Promise<void> => {
    for (const command of clearsOf(current, change)) {
      try {
        await bgpd.show(command);
      } catch (error) {
        // A neighbour that FRR has just reset by itself may be none to clear.
        if (!(error instanceof BackendError) || error.code !== "SPEAKER_REFUSED") throw error;
      }
    }
  };

  return {
    async whole(intent) {
      known = undefined;
      const text = await bgpd.show(SHOW);
      const losses = bgpd.losses();
      if (losses !== rawLosses) raw.forget();
      rawLosses = losses;
      const version = frrVersionOf(text);
      if (version === undefined)
        throw new BackendError("SPEAKER_REFUSED", "bgpd does not say which version it is");
      const current = parseRunning(text);
      const rendered = render(intent, { version, reveal, tags: tagsOf(current), memo });
      const judged = judge(current, rendered, intent, { ours, takeOver: options.takeOver });
      const { kept, left } = raw.judge(intent.raw, current);
      const wanted = overlay(await monitored(judged.wanted), kept);
      const change = difference(current, wanted, withRaw(judged.scope, left));
      const ofZebra = judged.guests.size === 0 ? rendered.zebra : NO_LINES;
      const problems: string[] = [];
      const refusals = [
        ...(await besides(() => addTo(zebra, ofZebra), problems)),
        ...(await besides(() => addTo(bfdd, rendered.bfdd), problems)),
        ...(await sendChange(bgpd, change)),
        ...(await besides(() => tidyProfiles(rendered.bfdd), problems)),
      ];
      await clearWhatIsLeft(current, change);
      const isRawSent = await raw.send(bgpd, () => read(bgpd));
      warnOnce(importCheckProblem(current, intent));
      const owner = ownerOf(intent);
      const refused: Refused[] = [
        ...judged.withheld.map(({ neighbor, reason }) => ({ subject: neighbor, reason })),
        ...refusals.map(({ command, reason }) => ({ subject: owner(command), reason })),
        ...raw.refused().map((one) => ({ subject: one.owner, reason: one.reason })),
        ...new Set(problems).values().map((reason) => ({ subject: undefined, reason })),
      ];
      const withheld = new Set(judged.withheld.map(({ neighbor }) => neighbor));
      const told = intent.routers.flatMap(({ neighbors }) => neighbors.map(({ key }) => key));
      const mine = told.filter((key) => !withheld.has(key));
      // What could not be removed is still ours.
      ours = new Set(refusals.length === 0 ? mine : [...ours, ...mine]);
      if (refusals.length + withheld.size + problems.length === 0)
        known = { intent, classes: rendered.classes, losses };
      return {
        refused,
        sent: [...words(change), ...(isRawSent ? ["raw lines"] : [])],
        isTidying: !isRawSent && change.definitions.length + change.routers.length === 0,
      };
    },
    async quick(intent) {
      if (known === undefined || known.losses !== bgpd.losses()) return false;
      if (!isSameButRoutes(known.intent, intent) || listsRoutes(intent)) return false;
      const lines = routeLines(routeChanges(known.intent, intent), known.classes);
      if (lines === undefined) return false;
      const before = known;
      known = undefined;
      if (lines.length > 0) {
        const answers = await bgpd.configure(lines);
        if (!answers.every(isDone) || bgpd.losses() !== before.losses) return false;
      }
      known = { ...before, intent };
      return true;
    },
  };
}

/** Whether prefixes of ours stand in lists, too: raw lines asked for those. */
const listsRoutes = ({ raw }: SpeakerIntent): boolean =>
  [...namesIn(raw)].some((name) => /-(?:allowed-ipv[46]|\S+-prefixes)$/.test(name));

function isSameButRoutes(before: SpeakerIntent, after: SpeakerIntent): boolean {
  return (
    before.routers.length === after.routers.length &&
    isSame(before.raw, after.raw) &&
    before.routers.every((router, at) => isSameRouter(router, after.routers[at]))
  );
}

function isSameRouter(before: RouterIntent, after: RouterIntent | undefined): boolean {
  if (after === undefined || before.key !== after.key) return false;
  if (before.localAs !== after.localAs || before.vrf !== after.vrf) return false;
  if (before.routerId !== after.routerId || !isSame(before.imports, after.imports)) return false;
  if (!isSame(before.evpn, after.evpn)) return false;
  if (before.neighbors === after.neighbors) return true;
  return (
    before.neighbors.length === after.neighbors.length &&
    before.neighbors.every((one, at) => {
      const other = after.neighbors[at];
      if (other === undefined || one.key !== other.key) return false;
      return one === other || classify(one, other).fields.length === 0;
    })
  );
}

const isSame = (one: unknown, other: unknown): boolean =>
  one === other || JSON.stringify(one ?? null) === JSON.stringify(other ?? null);

/** What raw lines had added is ours to remove. */
function withRaw(scope: Scope, left: Effect): Scope {
  if (left.added.length === 0) return scope;
  const added = new Set(left.added.map(({ path, line }) => [...path, line].join("\n")));
  return {
    isOurs: (path, line) => scope.isOurs(path, line) || added.has([...path, line].join("\n")),
  };
}

/** Whose line it is: by the neighbour in it, or by the name of a map or list. */
function ownerOf(intent: SpeakerIntent): (command: Command) => NeighborKey | undefined {
  const byPlace = new Map<string, NeighborKey>();
  const byId = new Map<string, NeighborKey>();
  for (const { vrf, neighbors } of intent.routers) {
    for (const one of neighbors) {
      byPlace.set(`${vrf}|${peerOf(one)}`, one.key);
      byId.set(neighborId(vrf, one), one.key);
    }
  }
  return ({ path, line }) => {
    const vrf = vrfOfRouter(path[0] ?? "");
    if (vrf !== undefined) return byPlace.get(`${vrf}|${peerOfLine(line) ?? ""}`);
    const name = /^(?:no )?(?:route-map|ip(?:v6)? prefix-list) (\S+)/.exec(path[0] ?? line)?.[1];
    return [...byId].find(([id]) => name?.startsWith(`${id}-`) === true)?.[1];
  };
}

const words = (change: Change): string[] =>
  isNoChange(change)
    ? []
    : [...change.definitions, ...change.routers, ...change.removals].map(({ path, line }) =>
        [...path, withoutSecret(line)].join(" / "),
      );

/** Nothing of ours is left. */
export const removeAll = (configurator: Configurator): Promise<Made> =>
  configurator.whole(NO_SPEAKER);
