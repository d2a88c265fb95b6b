/**
 * How a command of a fleet gets to its NATS: a connection for as long as the command runs.
 *
 * Reads next: fleet-options.ts (what is said on the command line), ../fleet/io/nats.ts.
 */
import { userInfo } from "node:os";
import { systemClock } from "../../backends/clock.ts";
import type { FleetConnection } from "../fleet/io/connection.ts";
import { connectFleet } from "../fleet/io/nats.ts";
import { inboxOf, type Role } from "../fleet/permissions.ts";
import type { Program } from "./commands.ts";
import { Failure } from "./failure.ts";
import type { FleetFlags } from "./fleet-options.ts";

/** A command's way to the fleet; disposed, it is closed. */
export type Joined = AsyncDisposable & {
  readonly connection: FleetConnection;
  readonly fleet: string;
  /** What the server's permissions call this member. */
  readonly name: string;
};

const CONNECT_MILLIS = 10_000;

/** Connects, or says why not: REFUSED after ten seconds, USAGE where it is not said whereto. */
export async function openFleet(
  { env }: Pick<Program, "env">,
  flags: FleetFlags,
  role: Role,
): Promise<Joined> {
  const { fleet, credentials, seed, tlsCa, tlsCertificate, tlsKey } = flags;
  const servers = flags.server ?? env["RUTTER_FLEET_SERVERS"]?.split(",") ?? [];
  if (fleet === undefined) throw new Failure("USAGE", "which fleet? Say --fleet NAME");
  if (servers.length === 0)
    throw new Failure("USAGE", "which server? Say --server nats://HOST:4222");
  const name = flags.as ?? userInfo().username;
  const tls = { ca: tlsCa, certificate: tlsCertificate, key: tlsKey };
  const isTls = Object.values(tls).some((file) => file !== undefined);
  const connection = connectFleet(
    {
      servers,
      name: `rutter fleet (${name})`,
      inbox: inboxOf(role, name),
      credentials,
      seed,
      ...(isTls ? { tls } : {}),
    },
    systemClock,
    { info: () => undefined, warn: () => undefined },
  );
  try {
    await connection.connected(AbortSignal.timeout(CONNECT_MILLIS));
  } catch (error) {
    const { reason } = connection.state();
    await connection.close();
    const text = `no NATS server of the fleet answers (${servers.join(", ")}): ${reason}`;
    throw new Failure("AGENT_UNREACHABLE", text, { cause: error });
  }
  return { connection, fleet, name, [Symbol.asyncDispose]: () => connection.close() };
}
