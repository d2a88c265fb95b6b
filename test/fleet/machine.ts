/**
 * A host that takes octets by the real intake, decisions, queue and log on disk.
 */
import { createFeedIntake, type FeedIntake, type Taken } from "../../agent/core/feed-intake.ts";
import { digestOf, encodeSet, signedOctets } from "../../agent/fleet/change-set.ts";
import type { SignedOctets } from "../../agent/fleet/parts.ts";
import { newSeed, openerFromSeed, type Signer } from "../../agent/fleet/signing.ts";
import type { TrustRule } from "../../agent/fleet/trust.ts";
import { createCommands } from "../../agent/pipeline/commands.ts";
import { createPen } from "../../agent/pipeline/pen.ts";
import { createRecorder } from "../../agent/pipeline/recorder.ts";
import { openSecrets } from "../../agent/secrets/secrets.ts";
import type { RunId } from "../../events/ids.ts";
import { factPen, ownDirectory, ownLog } from "../log/facts.ts";
import { world } from "../plan/world.ts";
import { fed, FLEET, type Made, signer, trust } from "./fleet.ts";

/** A set as its octets come to a host, signed. */
export function signed({ set }: Pick<Made, "set">, by: Signer = signer): SignedOctets {
  return ofOctets(encodeSet(set), by);
}

export function ofOctets(octets: Uint8Array, by: Signer = signer): SignedOctets {
  const digest = digestOf(octets);
  return { octets, digest, signer: by.publicKey, signature: by.sign(signedOctets(digest)) };
}

/** A host with a log on disk and its own keys; it trusts the test's signer unless other rules are given. */
export async function machine(rules: readonly TrustRule[] = trust) {
  const directory = ownDirectory();
  const facts = factPen();
  const log = await ownLog(directory, facts);
  const at = { wall: 0n, monotonic: 0n, boot: "b" };
  const pen = createPen("00c0ffee0001" as RunId, () => at);
  const recorder = createRecorder(log, pen);
  const commands = createCommands(world({}).desired, log, pen, recorder);
  const secrets = openSecrets(directory, undefined);
  const opener = openerFromSeed(newSeed("curve"));
  const parts = { fleet: FLEET, trust: rules, opener, commands, log, secrets };
  const intake = createFeedIntake(parts);
  let sequence = 0;
  const position = () => {
    sequence += 1;
    return { stream: "rutter-berlin-feed", created: "2026-11-21T00:00:00Z", sequence };
  };
  // Without the log's own first word.
  const recorded = () => [...log.read({ from: 2 })];
  return {
    commands,
    log,
    secrets,
    opener,
    recorder,
    parts,
    position,
    recorded,
    take: (one: SignedOctets, where = position()): Promise<Taken> => intake.take(one, where),
    refuse: (one: Parameters<FeedIntake["refuse"]>[0], where = position()) =>
      intake.refuse(one, where),
    types: () => recorded().flatMap(({ event }) => (event === undefined ? [] : [event.type])),
    fed: () => fed(commands.current()),
  };
}
