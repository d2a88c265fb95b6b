/**
 * Routes of a peer that outlive its session: stale while it restarts, condemned when they may stay no longer (RFC 4724 §4.2).
 *
 * To age a table or to condemn its stale routes is one quick pass over its marks and changes nothing that is in force; what is
 * condemned then leaves one by one (sweepRoute), in as many turns as the caller takes. What the peer says again meanwhile is
 * fresh (adj-rib-in.ts), whichever of the two it was. Reads next: route-marks.ts, ../restarting-peer.ts (who decides).
 */
import type { Family } from "../../../events/address.ts";
import { type AdjRibIn, removeRoute } from "./adj-rib-in.ts";
import { findSlot, isTaken, type PrefixTable, setMarks, slotsOf } from "./prefix-table.ts";
import { AGE, type Age, ageAt, marksOf, verdictAt } from "./route-marks.ts";
import { VERDICT } from "./verdict.ts";

/**
 * The session is gone. What was said in it is stale where routes of the family are `kept`; what was stale before has been
 * through a restart unconfirmed and goes (RFC 4724 §4.2, consecutive restarts).
 */
export function ageRoutes(rib: AdjRibIn, family: Family, kept: boolean): void {
  eachSlot(rib.tables[family], (table, slot) => {
    const next = kept && ageAt(table, slot) === AGE.fresh ? AGE.stale : AGE.condemned;
    setAge(rib, table, slot, next);
  });
}

/** What the peer has not said again goes: at its End-of-RIB, where its F bit is clear, or when its time is over. False: nothing. */
export function condemnStale(rib: AdjRibIn, family: Family): boolean {
  if (rib.stale[family] === 0) return false;
  eachSlot(rib.tables[family], (table, slot) => {
    if (ageAt(table, slot) === AGE.stale) setAge(rib, table, slot, AGE.condemned);
  });
  return true;
}

/** For table-walk.ts: removes the route if it is condemned still. */
export function sweepRoute(
  rib: AdjRibIn,
  family: Family,
  length: number,
  a: number,
  b: number,
  c: number,
  d: number,
): void {
  const table = rib.tables[family];
  const slot = findSlot(table, length, a, b, c, d);
  if (slot < 0 || ageAt(table, slot) !== AGE.condemned) return;
  const wasAccepted = verdictAt(table, slot) === VERDICT.accepted;
  removeRoute(rib, table, slot);
  if (wasAccepted) rib.options.changed(family, length, a, b, c, d);
}

function eachSlot(table: PrefixTable, act: (table: PrefixTable, slot: number) => void): void {
  const { size } = table;
  if (size === 0) return;
  for (let slot = 0; slot < slotsOf(table); slot += 1) if (isTaken(table, slot)) act(table, slot);
}

function setAge(rib: AdjRibIn, table: PrefixTable, slot: number, next: Age): void {
  const before = ageAt(table, slot);
  if (before === next) return;
  setMarks(table, slot, marksOf(verdictAt(table, slot), next));
  const { stale, condemned } = rib;
  const { family } = table;
  if (before === AGE.stale) stale[family] -= 1;
  else if (before === AGE.condemned) condemned[family] -= 1;
  if (next === AGE.stale) stale[family] += 1;
  else if (next === AGE.condemned) condemned[family] += 1;
}
