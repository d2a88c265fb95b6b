/**
 * A command's way to its fleet as a publisher: configuration, key, connection, and the publisher that they make.
 *
 * An operator's machine runs no agent: everything is said by fleet.yaml or by options. Reads next: fleet-change.ts,
 * ../fleet/io/publisher.ts.
 */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { userInfo } from "node:os";
import { systemClock } from "../../backends/clock.ts";
import { ConfigError, loadPublisherConfig } from "../config.ts";
import { FleetError } from "../fleet/io/connection.ts";
import { connectFleet } from "../fleet/io/nats.ts";
import { createPublisher, type Publisher } from "../fleet/io/publisher.ts";
import { inboxOf } from "../fleet/permissions.ts";
import type { PublisherConfig } from "../fleet/publisher-config.ts";
import { KeyError, type Signer, signerFromSeed } from "../fleet/signing.ts";
import { Failure } from "./failure.ts";

export type PublisherFlags = {
  readonly fleetConfig?: string;
  readonly signingSeed?: string;
  readonly as?: string;
  readonly timeout: number;
};

export type Publishing = { readonly config: PublisherConfig; readonly publisher: Publisher };

/** Runs `act` as a publisher, connected at the latest when it asks. The world's faults become Failures. */
export async function publishing<T>(
  flags: PublisherFlags,
  act: (publishing: Publishing) => Promise<T>,
): Promise<T> {
  const config = configOf(flags.fleetConfig);
  const signer = signerOf(flags.signingSeed ?? config.signingSeed);
  const { name, servers, login, tls } = config;
  const member = flags.as ?? userInfo().username;
  const connection = connectFleet(
    {
      servers,
      name: `rutter fleet (${member})`,
      inbox: inboxOf("publisher", member),
      ...(login.type === "none" ? {} : { [login.type]: login.file }),
      tls,
    },
    systemClock,
    { info: () => undefined, warn: () => undefined },
  );
  const publisher = createPublisher({
    fleet: name,
    connection,
    signer,
    trust: config.trust ?? [{ key: signer.publicKey }],
    consumer: `publisher-${randomBytes(6).toString("hex")}`,
    clock: systemClock,
    signal: AbortSignal.timeout(flags.timeout * 1000),
  });
  try {
    return await act({ config, publisher });
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

function signerOf(file: string | undefined): Signer {
  if (file === undefined) {
    const message = "who signs? Name the seed's file: signingSeed in fleet.yaml, or --signing-seed";
    throw new Failure("USAGE", message);
  }
  try {
    return signerFromSeed(readFileSync(file, "utf8"));
  } catch (error) {
    if (error instanceof KeyError) {
      throw new Failure("UNREADABLE", `${file}: ${error.message}`, { cause: error });
    }
    const code = error instanceof Error && "code" in error ? String(error.code) : undefined;
    if (code === undefined) throw error;
    throw new Failure("UNREADABLE", `${file}: ${code}`, { cause: error });
  }
}

function failureOf(error: FleetError, { name, servers }: PublisherConfig): Failure {
  const where = servers.join(", ");
  if (error.code === "FLEET_NOT_CONNECTED") {
    const text = `no NATS server of fleet ${name} answers (${where}): ${error.message}`;
    return new Failure("AGENT_UNREACHABLE", text, { cause: error });
  }
  if (error.code === "FLEET_NO_STREAM") {
    const text = `fleet ${name} has no feed on ${where}: the first \`rutter fleet apply\` makes it`;
    return new Failure("REFUSED", text, { cause: error });
  }
  return new Failure("REFUSED", `${error.message} [${error.code}]`, { cause: error });
}
