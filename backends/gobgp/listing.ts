/**
 * A neighbour's routes as gobgpd's tables have them, walked as they come.
 *
 * Asks, and leaves the reading to read/paths.ts.
 */
import type { Address, Family } from "../../events/address.ts";
import type { ShownRoute } from "../backend.ts";
import type { NeighborIntent, SpeakerIntent } from "../intent.ts";
import { familyMessage, TABLE } from "./api/messages.ts";
import type { GobgpClient } from "./io/client.ts";
import { shownRoutes } from "./read/paths.ts";

/** Rejects with BackendError. A prefix that is told has the provenance of its route, one that was received its neighbour's. */
export async function* routesOf(
  client: GobgpClient,
  intent: SpeakerIntent | undefined,
  neighbor: NeighborIntent,
  address: Address,
  family: Family,
  direction: "received" | "advertised",
): AsyncGenerator<ShownRoute> {
  const isReceived = direction === "received";
  const destinations = client.walk("ListPath", {
    table_type: isReceived ? TABLE.adjIn : TABLE.adjOut,
    name: address,
    family: familyMessage(family),
    prefixes: [],
    enable_filtered: isReceived,
    enable_only_binary: true,
  });
  for await (const { destination } of destinations) {
    if (destination === null) continue;
    yield* shownRoutes(destination, neighbor, direction, (prefix) => {
      if (isReceived) return neighbor.provenance;
      return intent?.routers.flatMap(({ routes }) => routes.get(prefix)?.provenance ?? []) ?? [];
    });
  }
}
