/**
 * Starts this host's part in its fleet, where the configuration names one: keys, connection, feed, and what it reports.
 *
 * Nothing of it is waited for: without NATS, with an empty stream or with keys that cannot be read the agent runs on its log,
 * and `status` says what is wrong. Loads the NATS client only here, so that a host without a fleet starts without it.
 * Reads next: ../feeds/fleet-feed.ts, feed-intake.ts, ../report/report.ts.
 */
import { createHash } from "node:crypto";
import { type Logger, systemClock } from "../../backends/clock.ts";
import type { EventLog } from "../../events/log/log.ts";
import type { DesiredState } from "../../events/state.ts";
import type { PeerJson } from "../api/contract.ts";
import type { FleetJson } from "../api/fleet-json.ts";
import type { AgentConfig } from "../config-schema.ts";
import { startFleetFeed } from "../feeds/fleet-feed.ts";
import { type FleetConnection, FleetError } from "../fleet/io/connection.ts";
import { type HostKeys, openHostKeys } from "../fleet/io/host-keys.ts";
import { inboxOf } from "../fleet/permissions.ts";
import { KeyError } from "../fleet/signing.ts";
import { fleetDigest } from "../fleet/state-digest.ts";
import { fleetNames, hostNames } from "../fleet/subjects.ts";
import type { Commands } from "../pipeline/commands.ts";
import { startReport } from "../report/report.ts";
import type { Look } from "../report/status.ts";
import type { Secrets } from "../secrets/secrets.ts";
import { createFeedIntake } from "./feed-intake.ts";
import { fleetView, recordedFleet } from "./fleet-view.ts";
import type { WallOf } from "./status-view.ts";

type Parts = {
  readonly config: Pick<AgentConfig, "fleet" | "node">;
  readonly commands: Commands;
  readonly log: EventLog;
  readonly secrets: Secrets;
  readonly logger: Logger;
  readonly program: string;
  readonly backend: string;
  /** What there should be of sessions, and how they are. */
  readonly peers: () => readonly PeerJson[];
};

export type FleetPart = {
  view(wallOf: WallOf): FleetJson;
  stop(): Promise<void>;
};

/** undefined: this host is in no fleet. */
export async function startFleet(parts: Parts): Promise<FleetPart | undefined> {
  const { config, commands, log, secrets, logger } = parts;
  const { fleet, node } = config;
  if (fleet === undefined) return undefined;
  const connection = await connectionOf(fleet, node.name, logger);
  const keys = keysOf(fleet.hostKey, logger);
  const intake = createFeedIntake({
    fleet: fleet.name,
    trust: fleet.trust,
    opener: keys?.opener,
    commands,
    log,
    secrets,
  });
  const digest = digestOf(fleet.name);
  const report = startReport({
    fleet: fleet.name,
    host: node.name,
    settings: fleet.report,
    connection,
    log,
    signer: keys?.signer,
    clock: systemClock,
    wallNanos: () => BigInt(Date.now()) * NANOS_A_MILLI,
    logger,
    look: () => {
      const desired = commands.current();
      const { program, backend } = parts;
      const feed = recordedFleet(desired, fleet.name, digest(desired));
      return {
        program,
        backend,
        feed: feed.generation === 0 ? null : feed,
        ...shown(parts.peers()),
      };
    },
  });
  const feed = startFleetFeed({
    names: fleetNames(fleet.name),
    consumer: hostNames(fleet.name, node.name).consumer,
    connection,
    intake,
    clock: systemClock,
    logger,
    position: () => commands.current().feeds?.get(fleet.name)?.position,
    deadLetter(what, reason, octets) {
      logger.warn({ what, reason }, "refused of the fleet's feed");
      report.deadLetter(what, reason, octets);
    },
  });
  return {
    view: (wallOf) => {
      const desired = commands.current();
      const recorded = recordedFleet(desired, fleet.name, digest(desired));
      const own = {
        hostKey: keys?.signer.publicKey ?? null,
        sealTo: keys?.opener.publicKey ?? null,
      };
      return fleetView(recorded, own, feed.state(), wallOf);
    },
    async stop() {
      await feed.stop();
      await report.stop();
      await connection.close();
    },
  };
}

const NANOS_A_MILLI = 1_000_000n;

function shown(peers: readonly PeerJson[]): Pick<Look, "sessions" | "bfd"> {
  return {
    sessions: peers.map(({ name, state }) => ({ name, up: state === "Established" })),
    bfd: peers.flatMap(({ name, bfd }) => (bfd === null ? [] : [{ name, up: bfd.state === "Up" }])),
  };
}

async function connectionOf(
  { name, servers, login, tls }: NonNullable<AgentConfig["fleet"]>,
  host: string,
  logger: Logger,
): Promise<FleetConnection> {
  const { connectFleet } = await import("../fleet/io/nats.ts");
  return connectFleet(
    {
      servers,
      name: `rutter ${host} of ${name}`,
      inbox: inboxOf("host", host),
      ...(login.type === "none" ? {} : { [login.type]: login.file }),
      tls,
    },
    systemClock,
    logger,
  );
}

/** Without them nothing is signed and what is sealed stays shut; everything else goes on. */
function keysOf(file: string, logger: Logger): HostKeys | undefined {
  try {
    return openHostKeys(file);
  } catch (error) {
    if (!(error instanceof FleetError) && !(error instanceof KeyError)) throw error;
    logger.error({ file, reason: error.message }, "this host has no keys for its fleet");
    return undefined;
  }
}

/** Of the newest state only: `status --watch` asks more often than it changes. */
function digestOf(fleet: string): (desired: DesiredState) => string {
  const ofState = fleetDigest((text) => createHash("sha256").update(text).digest("hex"));
  let of: DesiredState | undefined;
  let digest = "";
  return (desired) => {
    if (of !== desired) digest = ofState(desired, fleet);
    of = desired;
    return digest;
  };
}
