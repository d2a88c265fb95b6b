/** Routes of a speaker that is another process: walked as it answers, and its silence is told as such. */
import { describe, expect, test } from "vitest";
import { routeViews } from "../../agent/core/route-view.ts";
import { BackendError, type ShownRoute } from "../../backends/backend.ts";
import { address } from "../../events/address.ts";
import { neighborKey } from "../../events/ids.ts";
import { prefix } from "../../events/prefix.ts";

const shown = (text: string): ShownRoute => ({
  prefix: prefix(text),
  neighbor: neighborKey("red", "192.0.2.1", ""),
  pathId: 0,
  nextHop: address("192.0.2.1"),
  asPath: "64513",
  origin: "igp",
  localPref: undefined,
  med: 5,
  communities: [],
  largeCommunities: [],
  accepted: true,
  reason: "",
  provenance: [],
  raw: [],
});

const viewsOf = (routes: () => AsyncIterable<ShownRoute>) =>
  routeViews(
    {
      backend: { routes, sessions: () => [] },
      kernel: undefined,
      planned: () => {
        throw new Error("not asked");
      },
    },
    "received",
    undefined,
    false,
  );

describe("routes of a speaker that is asked", () => {
  test("are shown as they come, never all at once", async () => {
    let taken = 0;
    const views = viewsOf(async function* () {
      for (const text of ["10.0.0.0/24", "10.0.1.0/24"]) {
        taken += 1;
        yield shown(text);
      }
    });
    const { value } = await views.next();
    expect({ value: { prefix: value?.prefix, vrf: value?.vrf, med: value?.med }, taken }).toEqual({
      value: { prefix: "10.0.0.0/24", vrf: "red", med: 5 },
      taken: 1,
    });
  });

  test("that does not answer: the asker hears of the speaker, not of a bug", async () => {
    const views = viewsOf(async function* () {
      yield shown("10.0.0.0/24");
      throw new BackendError("SPEAKER_TIMEOUT", "bgpd does not answer");
    });
    await expect(Array.fromAsync(views)).rejects.toMatchObject({
      name: "CoreError",
      code: "SPEAKER_UNREACHABLE",
      message: "bgpd does not answer",
    });
  });

  test("a bug stays a bug", async () => {
    // oxlint-disable-next-line require-yield
    const views = viewsOf(async function* () {
      throw new Error("planted");
    });
    await expect(Array.fromAsync(views)).rejects.toMatchObject({
      name: "Error",
      message: "planted",
    });
  });
});
