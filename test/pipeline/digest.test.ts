/**
 * The digest by which an intent is known again: whatever a speaker is asked beside neighbours and routes counts, too.
 */
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { intentDigester } from "../../agent/pipeline/effects.ts";
import { type RouterIntent, type SpeakerIntent } from "../../backends/intent.ts";
import type { ResourceKey } from "../../events/ids.ts";
import { planOf, together, configuration, world } from "../plan/world.ts";

const digest = intentDigester((text) => createHash("sha256").update(text).digest("hex"));
const intent = planOf(
  world(
    {},
    together(configuration("a", [{ asn: 1, neighbors: [{ asn: 2, address: "10.0.0.1" }] }])),
  ),
).speakers.native!;
const having = (router: Partial<RouterIntent>): SpeakerIntent => ({
  ...intent,
  routers: intent.routers.map((one) => ({ ...one, ...router })),
});
const raw = (text: string, secret = "1"): SpeakerIntent => ({
  ...intent,
  raw: [
    {
      owner: "/ConfigMap/x/bgpextras" as ResourceKey,
      raw: { text, secrets: [{ name: "s", version: "1", digest: secret }] },
      provenance: [],
    },
  ],
});

test("raw lines, their secrets, leaks and EVPN make another digest; provenance does not", () => {
  const evpn = { advertiseVnis: "All", advertiseSvi: false, l2vnis: [] } as const;
  const all = [
    intent,
    having({ imports: ["red"] }),
    having({ imports: ["blue"] }),
    having({ evpn }),
    having({ evpn: { ...evpn, advertiseSvi: true } }),
    raw("! a"),
    raw("! b"),
    raw("! a", "2"),
  ];
  expect(new Set(all.map(digest)).size).toBe(all.length);
  const [snippet] = raw("! a").raw;
  const elsewhere = { ...intent, raw: [{ ...snippet!, provenance: ["f" as never] }] };
  expect(digest(elsewhere)).toBe(digest(raw("! a")));
});
