/**
 * The readers' bucket as a list: who, of which host, how far.
 */
import { expect, test } from "vitest";
import { readerKey } from "../../agent/fleet/subjects.ts";
import { positionText } from "../../agent/report/positions.ts";
import { readerViews } from "../../agent/report/readers.ts";

const entry = (lanes: Readonly<Record<string, number>>, storedAt = "2026-11-21T12:00:00Z") => ({
  value: new TextEncoder().encode(positionText({ lanes, created: "c", sequence: 9 })),
  storedAt,
});

test("readers stand by name and host, with the place of all hosts first; names are as they were given", () => {
  const views = readerViews(
    new Map([
      [readerKey("ops.eu", "edge 1"), entry({ desired: 4, sessions: 2 })],
      [readerKey("audit", "edge2"), entry({ desired: 7 }, "2026-11-20T00:00:00Z")],
      [readerKey("audit", ""), entry({})],
    ]),
  );
  expect(views).toEqual([
    {
      reader: "audit",
      host: null,
      lanes: {},
      sequence: 9,
      at: "2026-11-21T12:00:00Z",
      key: "audit.=",
    },
    {
      reader: "audit",
      host: "edge2",
      lanes: { desired: 7 },
      sequence: 9,
      at: "2026-11-20T00:00:00Z",
      key: "audit.edge2",
    },
    {
      reader: "ops.eu",
      host: "edge 1",
      lanes: { desired: 4, sessions: 2 },
      sequence: 9,
      at: "2026-11-21T12:00:00Z",
      key: "ops=2Eeu.edge=201",
    },
  ]);
});

test("what another program wrote is no reader", () => {
  const other = { value: new TextEncoder().encode("{}"), storedAt: "" };
  const keys = new Map([
    ["audit.edge1", other],
    ["audit", entry({})],
    ["audit.edge1.more", entry({})],
    ["audit.=ZZ", entry({})],
  ]);
  expect(readerViews(keys)).toEqual([]);
});
