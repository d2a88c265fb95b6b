/**
 * Messages of the real world: what a session must survive, and what a decoder must not break on.
 * Method: every line of ../shared/wire/valid.jsonl, framed and decoded as either side of an AS border would.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { applyUpdate } from "../../backends/native/rib/adj-rib-in.ts";
import { decodeMessage } from "../../backends/native/wire/decode.ts";
import type { SessionOptions } from "../../backends/native/wire/message.ts";
import { decodeAttributes } from "../../backends/native/wire/route-attributes.ts";
import { cannot, SHARED, skipUnless } from "../probe.ts";
import { external, framed, octets } from "./session-options.ts";
import { ribOf } from "../rib/ribs.ts";

type Row = {
  readonly name: string;
  readonly hex: string;
  readonly use: "session" | "codec";
  readonly as4?: boolean;
};

const rows: readonly Row[] = cannot("shared-wire")
  ? []
  : readFileSync(join(SHARED, "wire/valid.jsonl"), "utf8")
      .trimEnd()
      .split("\n")
      .map((line): Row => JSON.parse(line));

const sessionsOf = (row: Row): SessionOptions[] =>
  [true, false].map((isExternal) => ({
    ...external,
    as4: row.as4 !== false,
    external: isExternal,
    extendedMessage: true,
  }));

/** The error that would end the session; undefined where it lives on, its routes taken in and shown. */
function deathOf(row: Row, session: SessionOptions): string | undefined {
  const bytes = octets(row.hex);
  const frame = framed(bytes, session.extendedMessage);
  if (frame.type !== "message") return `${row.name}: ${frame.type}`;
  const read = decodeMessage(bytes, frame, session);
  if (!read.ok) return `${row.name}: ${read.error.code}/${read.error.subcode}`;
  if (read.value.type !== "update") return undefined;
  const rib = ribOf();
  applyUpdate(rib, read.value.update);
  decodeAttributes(read.value.update.attributes);
  return undefined;
}

describe("valid.jsonl", () => {
  test("each of the 1,222 messages for sessions keeps a session", (context) => {
    skipUnless("shared-wire")(context);
    const forSessions = rows.filter(({ use }) => use === "session");
    const deaths = forSessions.flatMap((row) =>
      sessionsOf(row).flatMap((session) => deathOf(row, session) ?? []),
    );
    expect(forSessions).toHaveLength(1222);
    expect(deaths).toEqual([]);
  });

  test("none of the routes that routers sent to each other is taken for malformed", (context) => {
    skipUnless("shared-wire")(context);
    const seen = rows.filter(({ name }) => name.startsWith("mrt-"));
    const bad = seen.filter((row) => {
      const bytes = octets(row.hex);
      const frame = framed(bytes);
      if (frame.type !== "message") return true;
      const read = decodeMessage(bytes, frame, { ...external, as4: row.as4 !== false });
      return read.ok && read.value.type === "update" && read.value.update.outcome !== "ok";
    });
    expect(seen.length).toBeGreaterThan(1000);
    expect(bad.map(({ name }) => name)).toEqual([]);
  });

  test("no message of other families makes the decoder throw", (context) => {
    skipUnless("shared-wire")(context);
    const others = rows.filter(({ use }) => use === "codec");
    for (const row of others) for (const session of sessionsOf(row)) deathOf(row, session);
    expect(others).toHaveLength(123);
  });
});
