/**
 * The probe of every check but listen, by type; holds the named commands of agent.yaml.
 *
 * Only chooses. An exec check whose name agent.yaml lacks is unhealthy with that reason, for the manifest may be older or
 * newer than the configuration. Reads next: probes.ts, exec-probe.ts.
 */
import { match } from "ts-pattern";
import type { NamedCheck } from "../config-schema.ts";
import { ownPrivileges, probeExec } from "./exec-probe.ts";
import { type Probe, probeHttp, probeTcp } from "./probes.ts";

export function createProbe(checks: ReadonlyMap<string, NamedCheck>): Probe {
  const privileges = ownPrivileges();
  return (planned, signal) =>
    match(planned.check)
      .with({ type: "tcp" }, (check) => probeTcp(check, planned, signal))
      .with({ type: "http" }, (check) => probeHttp(check, planned, signal))
      .with({ type: "exec" }, async ({ name }) => {
        const named = checks.get(name);
        if (named !== undefined) return probeExec(named, planned, privileges, signal);
        return { ok: false, reason: `agent.yaml has no entry ${name} under checks:` };
      })
      .with({ type: "listen" }, () => {
        throw new Error("listen checks are not probed one by one");
      })
      .exhaustive();
}
