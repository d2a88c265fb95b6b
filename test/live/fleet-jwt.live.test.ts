/**
 * A fleet on a nats-server in operator mode: everybody comes with a credentials file (`credentials:`), within the permissions
 * of `rutter fleet auth` as claims, and a file that is replaced is taken at the next connection.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { inboxOf, permissionsOf, type Role } from "../../agent/fleet/permissions.ts";
import { skipUnless } from "../probe.ts";
import { startAgent } from "./agent.ts";
import type { Finished } from "./daemon.ts";
import { FLEET, fleetOf, hasGeneration } from "./fleet.ts";
import { startFleetClient } from "./fleet-client.ts";
import { newKey } from "./fleet-keys.ts";
import { ALWAYS, poolManifest, serviceManifest } from "./manifests.ts";
import { startNats } from "./nats.ts";
import { newOperator } from "./nats-jwt.ts";
import { makeNetwork } from "./netns.ts";
import { until } from "./until.ts";

beforeEach(skipUnless("netns", "nats"));

const PROGRAM = join(import.meta.dirname, "../../agent/main.ts");

test(
  "publisher, reader and host come with JWTs; a host that is revoked is out until its file is replaced, and misses nothing",
  { timeout: 240_000 },
  async () => {
    await using network = await makeNetwork(["server", "edge1", "ops"]);
    const { server, edge1, ops } = network.nodes;
    const operator = newOperator();
    await using nats = await startNats(server, { config: operator.config() });
    const signer = newKey(ops, "signer.nk");
    const allowed = (role: Role, name: string) => permissionsOf(FLEET, { role, name });
    const files = {
      publisher: join(ops.directory, "publisher.creds"),
      audit: join(ops.directory, "audit.creds"),
      stranger: join(ops.directory, "stranger.creds"),
      host: join(edge1.directory, "nats.creds"),
    };
    operator.user(files.publisher, "ops", allowed("publisher", "ops"));
    operator.user(files.audit, "audit", allowed("reader", "audit"));
    operator.stranger(files.stranger, "audit", allowed("reader", "audit"));
    const first = operator.user(files.host, "edge1", allowed("host", "edge1"));

    const rutter = (
      credentials: string,
      args: readonly string[],
      input = "",
    ): Promise<Finished> => {
      const config = `${credentials}.yaml`;
      writeFileSync(
        config,
        `name: ${FLEET}\nservers: [${nats.url}]\ncredentials: ${credentials}\nsigningSeed: ${signer.file}\n`,
      );
      const as = credentials === files.publisher ? "ops" : "audit";
      return ops.run(
        [process.execPath, PROGRAM, "fleet", ...args, "--fleet-config", config, "--as", as],
        { input, timeoutMs: 60_000, env: { ...process.env, XDG_STATE_HOME: ops.directory } },
      );
    };
    const apply = async (manifest: string): Promise<void> => {
      const done = await rutter(files.publisher, ["apply", "-f", "-"], manifest);
      expect(done).toMatchObject({ code: 0, stderr: "" });
    };
    const advanced = async (): Promise<number> => {
      const { stdout } = await rutter(files.audit, ["log", "-o", "json", "--lane", "desired"]);
      return stdout.split("\n").filter((line) => line.includes('"feed-advanced"')).length;
    };

    await apply(poolManifest(["203.0.113.0/24"]));
    await using agent = await startAgent(edge1, {
      config: `node: { name: edge1 }
${ALWAYS}fleet:
  name: ${FLEET}
  servers: [${nats.url}]
  credentials: ${files.host}
  trust: [{ key: ${signer.publicKey} }]
  report: { heartbeatSeconds: 1 }
`,
      listen: `${edge1.ipv4}:179`,
    });
    await hasGeneration(agent, 1);
    await until(async () => (await advanced()) === 1, {
      what: "the host's book, told to the reader",
      timeoutMs: 60_000,
      explain: agent.explain,
    });
    const refused = await rutter(files.stranger, ["status", "--timeout", "5"]);
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toMatch(/authorization violation/i);
    // The claims hold what the authorization block holds for an nkey.
    await using client = await startFleetClient(edge1, {
      servers: [nats.url],
      credentials: files.host,
      inbox: inboxOf("host", "edge1"),
    });
    await client.connected();
    await expect(
      client.publish({
        stream: `rutter-${FLEET}-feed`,
        subject: `rutter.${FLEET}.feed.change`,
        body: "",
      }),
    ).rejects.toThrow("FLEET_FORBIDDEN");

    await nats.reload(operator.config([first]));
    const out = await until(
      async () => {
        const { connected, reason } = await fleetOf(agent);
        return !connected && /authorization/i.test(reason) && reason;
      },
      {
        what: "the end of a host that was revoked",
        timeoutMs: 60_000,
        explain: async () => `${await agent.explain()}\n${nats.log()}`,
      },
    );
    expect(out).toMatch(/authorization/i);
    await apply(serviceManifest("web", { loadBalancerIP: "203.0.113.1" }));
    expect(await fleetOf(agent)).toMatchObject({ connected: false, generation: 1 });

    expect(operator.user(files.host, "edge1", allowed("host", "edge1"))).not.toBe(first);
    expect(await hasGeneration(agent, 2)).toMatchObject({ connected: true });
    await until(async () => (await advanced()) === 2, {
      what: "what happened meanwhile, told to the reader",
      timeoutMs: 60_000,
      explain: agent.explain,
    });
    expect(await rutter(files.audit, ["log", "--verify"])).toMatchObject({ code: 0, stderr: "" });
  },
);
