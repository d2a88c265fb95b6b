/**
 * How a command gets to its fleet's NATS: fleet.yaml, and a connection for as long as the command runs.
 *
 * Signs nothing and publishes nothing. Reads next: fleet-publisher.ts (who does), ../fleet/io/nats.ts.
 */
import { userInfo } from "node:os";
import { systemClock } from "../../backends/clock.ts";
import { ConfigError, loadPublisherConfig } from "../config.ts";
import { type FleetConnection, FleetError } from "../fleet/io/connection.ts";
import { connectFleet } from "../fleet/io/nats.ts";
import { inboxOf } from "../fleet/permissions.ts";
import type { PublisherConfig } from "../fleet/publisher-config.ts";
import { Failure } from "./failure.ts";

/** What every command of a fleet is told of its way there. */
export type MemberFlags = {
  readonly fleetConfig?: string;
  readonly as?: string;
  /** Seconds. */
  readonly timeout: number;
};

export type Member = {
  readonly config: PublisherConfig;
  readonly connection: FleetConnection;
  /** What the server's permissions call this member. */
  readonly name: string;
};

export type Joined = Pick<Member, "connection" | "name"> & {
  readonly fleet: string;
  /** By host, the keys that fleet.yaml has of it. */
  readonly pins: PublisherConfig["hostKeys"];
};

/** Runs `act` with a connection in that role, which may not be up yet. The world's faults become Failures. */
export async function asMember<T>(
  { fleetConfig, as: name = userInfo().username }: MemberFlags,
  role: "reader" | "publisher",
  act: (member: Member) => Promise<T>,
): Promise<T> {
  const config = configOf(fleetConfig);
  const { servers, login, tls } = config;
  const connection = connectFleet(
    {
      servers,
      name: `rutter fleet (${name})`,
      inbox: inboxOf(role, name),
      ...(login.type === "none" ? {} : { [login.type]: login.file }),
      tls,
    },
    systemClock,
    { info: () => undefined, warn: () => undefined },
  );
  try {
    return await act({ config, connection, name });
  } catch (error) {
    if (!(error instanceof FleetError)) throw error;
    throw failureOf(error, config);
  } finally {
    await connection.close();
  }
}

/** Runs `act` connected as a reader. */
export const joined = <T>(flags: MemberFlags, act: (joined: Joined) => Promise<T>): Promise<T> =>
  asMember(flags, "reader", async ({ config, connection, name }) => {
    await connection.connected(AbortSignal.timeout(flags.timeout * 1000));
    return act({ connection, fleet: config.name, name, pins: config.hostKeys });
  });

function configOf(file: string | undefined): PublisherConfig {
  try {
    return loadPublisherConfig(file);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new Failure("UNREADABLE", error.message, { cause: error });
  }
}

function failureOf(error: FleetError, { name, servers }: PublisherConfig): Failure {
  const where = servers.join(", ");
  if (error.code === "FLEET_NOT_CONNECTED") {
    const text = `no NATS server of fleet ${name} answers (${where}): ${error.message}`;
    return new Failure("AGENT_UNREACHABLE", text, { cause: error });
  }
  if (error.code === "FLEET_NO_STREAM") {
    const text = `nothing of fleet ${name} is on ${where}: the first \`rutter fleet apply\` makes its streams`;
    return new Failure("REFUSED", text, { cause: error });
  }
  return new Failure("REFUSED", `${error.message} [${error.code}]`, { cause: error });
}
