/**
 * metallb.io Community: names for communities, to be used in BGPAdvertisements.
 *
 * A name may be defined once over all Community resources; inside one that is checked here, over all by the plan.
 */
import * as z from "zod";
import { type CommunityValue, parseCommunity } from "./communities.ts";
import { quoted, text } from "./fields.ts";
import { type Reading, refuseDuplicates } from "./reading.ts";
import type { Typed } from "./resource.ts";

export type Community = Typed<"metallb.io/Community", CommunitySpec>;
export type CommunitySpec = {
  readonly communities: readonly { readonly name: string; readonly value: CommunityValue }[];
};

export const writtenCommunity = z.strictObject({
  communities: z
    .array(z.strictObject({ name: text.min(1, "must not be empty"), value: text }))
    .optional(),
});

export function communitySpec(
  written: z.infer<typeof writtenCommunity>,
  reading: Reading,
): CommunitySpec {
  const list = written.communities ?? [];
  refuseDuplicates(reading, ["spec", "communities"], list, ({ name }) => name, "this name");
  const communities = list.flatMap(({ name, value: text_ }, i) => {
    const value = parseCommunity(text_);
    if (value !== undefined) return [{ name, value }];
    reading.refuse(
      ["spec", "communities", i, "value"],
      "bad-value",
      `${quoted(text_)} is no community: write high:low (0–65535 each) or large:a:b:c`,
    );
    return [];
  });
  return { communities };
}
