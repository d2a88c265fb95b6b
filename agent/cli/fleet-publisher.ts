/**
 * A command's way to its fleet as a publisher: configuration, key, connection, and the publisher that they make.
 *
 * An operator's machine runs no agent: everything is said by fleet.yaml or by options. Reads next: fleet-change.ts,
 * ../fleet/io/publisher.ts.
 */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { systemClock } from "../../backends/clock.ts";
import type { HostGeneration } from "../fleet/ahead.ts";
import { createPublisher, type Publisher } from "../fleet/io/publisher.ts";
import { KeyError, type Signer, signerFromSeed } from "../fleet/signing.ts";
import { Failure } from "./failure.ts";
import { heardGenerations } from "./fleet-hosts.ts";
import { asMember, type Member, type MemberFlags } from "./fleet-access.ts";

export type PublisherFlags = MemberFlags & {
  readonly signingSeed?: string;
  /** Publishes though hosts have a higher generation. */
  readonly despiteHosts?: boolean;
};

export type Publishing = Pick<Member, "config"> & {
  readonly publisher: Publisher;
  /** Of each host its highest generation, highest first. */
  readonly heard: () => Promise<readonly HostGeneration[]>;
};

/** Runs `act` as a publisher, connected at the latest when it asks. The world's faults become Failures. */
export const publishing = <T>(
  flags: PublisherFlags,
  act: (publishing: Publishing) => Promise<T>,
): Promise<T> =>
  asMember(flags, "publisher", async ({ config, connection }) => {
    const signer = signerOf(flags.signingSeed ?? config.signingSeed);
    const consumer = `publisher-${randomBytes(6).toString("hex")}`;
    const signal = AbortSignal.timeout(flags.timeout * 1000);
    const heard = async (): Promise<readonly HostGeneration[]> => {
      await connection.connected(signal);
      return heardGenerations(connection, config.name, consumer);
    };
    const publisher = createPublisher({
      fleet: config.name,
      connection,
      signer,
      trust: config.trust ?? [{ key: signer.publicKey }],
      consumer,
      clock: systemClock,
      signal,
      heard: flags.despiteHosts === true ? undefined : heard,
    });
    return act({ config, publisher, heard });
  });

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
