/**
 * How a command that reads of a fleet gets to its NATS: fleet.yaml, and a connection for as long as the command runs.
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

export type ReadingFlags = {
  readonly fleetConfig?: string;
  readonly as?: string;
  /** Seconds. */
  readonly timeout: number;
};

export type Joined = {
  readonly connection: FleetConnection;
  readonly fleet: string;
  /** What the server's permissions call this member. */
  readonly name: string;
};

/** Runs `act` connected as a reader. The world's faults become Failures. */
export async function joined<T>(
  { fleetConfig, as: name = userInfo().username, timeout }: ReadingFlags,
  act: (joined: Joined) => Promise<T>,
): Promise<T> {
  const config = configOf(fleetConfig);
  const { name: fleet, servers, login, tls } = config;
  const connection = connectFleet(
    {
      servers,
      name: `rutter fleet (${name})`,
      inbox: inboxOf("reader", name),
      ...(login.type === "none" ? {} : { [login.type]: login.file }),
      tls,
    },
    systemClock,
    { info: () => undefined, warn: () => undefined },
  );
  try {
    await connection.connected(AbortSignal.timeout(timeout * 1000));
    return await act({ connection, fleet, name });
  } catch (error) {
    if (!(error instanceof FleetError)) throw error;
    throw failureOf(error, config);
  } finally {
    await connection.close();
  }
}

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
