/**
 * The command line as an operator meets it: a real process against a real socket, with canned answers behind it.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { fakeCore, peer, refused, status } from "../api/fake-core.ts";
import { parsedLines, serve } from "../api/serve.ts";
import { asked, rutter, start } from "./rutter.ts";

const manifest = "apiVersion: metallb.io/v1beta2\nkind: BGPPeer\n";

describe("exit codes", () => {
  test("0 is done, 1 is refused or failed, 2 is usage", async () => {
    await using api = await serve();
    const codes = await Promise.all(
      [
        ["peers"],
        ["get", "bgppeer", "nobody"],
        ["doctor"],
        ["at", "1", "sing"],
        ["peers", "-o", "xml"],
        ["fly"],
        [],
        ["routes", "sideways"],
        ["log", "--since", "yesterday"],
        ["delete"],
        ["--help"],
        ["--version"],
      ].map(async (args) => `${args.join(" ")}: ${(await asked(api, args)).code}`),
    );
    expect(codes).toEqual([
      "peers: 0",
      "get bgppeer nobody: 1",
      "doctor: 1",
      "at 1 sing: 2",
      "peers -o xml: 2",
      "fly: 2",
      ": 2",
      "routes sideways: 2",
      "log --since yesterday: 2",
      "delete: 2",
      "--help: 0",
      "--version: 0",
    ]);
  });

  test("no agent: says so, and how to start one", async () => {
    const { code, stderr } = await rutter(["status", "--socket", "/nonexistent/api.sock"]);
    expect(code).toBe(1);
    expect(stderr).toBe(
      "rutter: no agent serves on /nonexistent/api.sock: start it (systemctl start rutter), or name its socket with --socket\n",
    );
  });

  test("not allowed: says which group is missing", async () => {
    await using api = await serve({ who: { pid: 1003, uid: 1003, gid: 1003 } });
    const { code, stderr } = await asked(api, ["peers"]);
    expect(code).toBe(1);
    expect(stderr).toContain("join the group rutter [FORBIDDEN]");
  });
});

describe("apply", () => {
  test("sends the text of files, directories and standard input, and prints a line a resource", async () => {
    await using api = await serve();
    const file = join(api.directory, "peer.yaml");
    writeFileSync(file, manifest);
    const { code, stdout } = await asked(
      api,
      ["apply", "-f", file, "-f", "-", "--wait", "--take-over", "--idempotency-key", "k1"],
      "second: true\n",
    );
    expect(stdout).toBe(
      "bgppeer.metallb.io/metallb-system/peer1 created\n" +
        "  accepted, not carried yet: BFD (spec.bfdProfile)\n",
    );
    expect(code).toBe(0);
    expect(api.core.asked).toMatchObject([
      {
        request: {
          files: [
            { name: file, text: manifest },
            { name: "-", text: "second: true\n" },
          ],
          wait: true,
          takeOver: true,
          keepGoing: false,
          idempotencyKey: "k1",
          owner: "cli",
        },
        caller: { source: "cli", actor: { name: "root" } },
      },
    ]);
  });

  test("that is refused gives one line with file, line, field and rule, and says that nothing changed", async () => {
    await using api = await serve();
    api.core.applyAnswer = refused;
    const { code, stdout, stderr } = await asked(api, ["apply", "-f", "-"], manifest);
    expect(code).toBe(1);
    expect(stdout).toBe("");
    expect(stderr).toBe(
      "peer.yaml:7:3: error: spec.peerASN: 0 is not an AS number: write 1 to 4294967295 [out-of-range]\n" +
        "rutter: nothing was changed: 1 error\n",
    );
  });

  test("of a file that is not there, or is no text, asks the agent nothing", async () => {
    await using api = await serve();
    const file = join(api.directory, "bad.yaml");
    writeFileSync(file, Buffer.from([0x61, 0x0a, 0xff]));
    const missing = await asked(api, ["apply", "-f", join(api.directory, "none.yaml")]);
    const bad = await asked(api, ["apply", "-f", file]);
    expect([missing.code, bad.code]).toEqual([1, 1]);
    expect(missing.stderr).toMatch(/none\.yaml: is not there \[MANIFEST_NOT_FOUND\]/);
    expect(bad.stderr).toMatch(/bad\.yaml:2:1: error: is not UTF-8.* \[not-text\]/);
    expect(api.core.asked).toEqual([]);
  });

  test("delete by name sends kind, namespace and name", async () => {
    await using api = await serve();
    await asked(api, ["delete", "bgppeer", "a", "b", "-n", "ns"]);
    expect(api.core.asked).toMatchObject([
      {
        request: {
          what: {
            type: "names",
            names: [
              { kind: "bgppeer", namespace: "ns", name: "a" },
              { kind: "bgppeer", namespace: "ns", name: "b" },
            ],
          },
        },
      },
    ]);
  });

  test("plan shows what appears on the wire and what resets", async () => {
    await using api = await serve();
    const { stdout } = await asked(api, ["plan", "-f", "-"], manifest);
    expect(stdout).toBe(
      "tor1:\n  + 203.0.113.10/32\nkernel:\n  + address 203.0.113.10 dev lo\nspeaker:\n  + EVPN of VRF red\nsession reset: tor2\n",
    );
  });
});

describe("plan of another speaker", () => {
  test("needs no manifests, and asks for it by name", async () => {
    await using api = await serve();
    const { stdout } = await asked(api, ["plan", "--backend", "frr"]);
    expect(stdout).toContain("tor1:\n  + 203.0.113.10/32\n");
    expect(stdout).toContain("differs: tor1 speakerBfd (hitless)\n");
    expect(stdout).toContain("not opened: tor3: it has no unnumbered\n");
    expect(stdout).toContain("warning: bgpd does not answer\n");
  });
  test("without either, it says how to ask", async () => {
    await using api = await serve();
    const { code, stderr } = await asked(api, ["plan"]);
    expect(code).toBe(2);
    expect(stderr).toContain("--backend");
  });
});

describe("tables", () => {
  test("peers: aligned, with times as people say them", async () => {
    await using api = await serve();
    const since = new Date(Date.now() - 192_500).toISOString();
    const down = {
      ...peer,
      name: "a-long-name",
      state: "Idle",
      since,
      reason: "wrong AS",
    } as const;
    api.core.currentStatus = { ...status, peers: [{ ...peer, since }, down] };
    expect((await asked(api, ["peers"])).stdout.replaceAll(/3m1[2-9]s/g, "3m12s")).toBe(
      [
        "NAME          ADDRESS     AS      STATE         SINCE   SENT   RECEIVED   RESETS   REASON",
        "tor1          192.0.2.1   64513   Established   3m12s   1      2          0        -",
        "a-long-name   192.0.2.1   64513   Idle          3m12s   1      2          0        wrong AS",
        "",
      ].join("\n"),
    );
  });

  test("status: what is held, not recorded or quarantined is not overlooked", async () => {
    await using api = await serve();
    api.core.currentStatus = {
      ...status,
      state: "held",
      held: [{ what: "plan", reason: "waits for: rutter confirm plan", seq: 2 }],
      notRecording: { since: status.startedAt ?? "", reason: "disk full", lost: 4 },
      quarantined: [{ resource: "metallb.io/BGPPeer/ns/p", rule: "twice", reason: "the same" }],
    };
    const { stdout } = await asked(api, ["status"]);
    expect(stdout).toContain("node host1, held, backend native");
    expect(stdout).toContain("HELD plan: waits for: rutter confirm plan");
    expect(stdout).toMatch(/NOT RECORDING for .*: disk full \(4 facts lost\)/);
    expect(stdout).toContain("bgppeer.metallb.io/ns/p   twice   the same");
  });

  test("doctor: each fault with its way out", async () => {
    await using api = await serve();
    expect((await asked(api, ["doctor"])).stdout).toBe(
      "error    listener: port 179 is taken\n         → ss -lntp\n",
    );
  });

  test.each([["table"], ["json"], ["yaml"]])(
    "names with terminal sequences do nothing to a terminal (%s)",
    async (output) => {
      await using api = await serve();
      const name = "x\u001b]0;owned\u0007\u009b2J\u202e";
      api.core.currentStatus = { ...status, peers: [{ ...peer, name, reason: "a\nb" }] };
      const { stdout } = await asked(api, ["peers", "-o", output]);
      // oxlint-disable-next-line no-control-regex -- these are what must not be there
      expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
      expect(stdout).toContain("\\u001b");
    },
  );
});

describe("JSON and YAML", () => {
  test("are the answer of the API", async () => {
    await using api = await serve();
    expect(JSON.parse((await asked(api, ["status", "-o", "json"])).stdout)).toEqual(status);
    expect((await asked(api, ["get", "bgppeer", "peer1", "-o", "yaml"])).stdout).toBe(
      [
        "apiVersion: metallb.io/v1beta2",
        "kind: BGPPeer",
        "metadata:",
        "  name: peer1",
        "  namespace: metallb-system",
        "spec:",
        '  holdTime: "90s"',
        '  text: "yes: no"',
        "status:",
        "  owner: cli",
        "  seq: 2",
        "  state: accepted",
        '  rule: ""',
        '  reason: ""',
        "  notCarried:",
        "    - field: spec.bfdProfile",
        '      reason: "not carried yet: BFD"',
        "",
      ].join("\n"),
    );
  });

  test("get: one resource is an object, several are an array", async () => {
    await using api = await serve();
    const one = JSON.parse((await asked(api, ["get", "bgppeer", "peer1", "-o", "json"])).stdout);
    const all = JSON.parse((await asked(api, ["get", "all", "-o", "json"])).stdout);
    expect(all).toEqual([one]);
  });

  test("get: status kinds and the generated FRRConfiguration are views, asked for as such", async () => {
    await using api = await serve();
    const { stdout } = await asked(api, ["get", "bgpsessionstates"]);
    expect(stdout.split("\n").map((line) => line.trimEnd())).toEqual([
      "NODE     PEER       VRF   BGP           BFD",
      "host-1   10.0.0.1   -     Established   Up",
      "",
    ]);
    const generated = await asked(api, ["get", "frrconfig", "--generated", "-o", "json"]);
    expect(JSON.parse(generated.stdout)).toMatchObject([{ kind: "BGPSessionState" }]);
    expect(api.core.asked).toEqual([
      { views: { kind: "bgpsessionstates", name: undefined } },
      { views: { kind: "generated frrconfiguration", name: undefined } },
    ]);
    const other = await asked(api, ["get", "bgppeers.metallb.io", "--generated"]);
    expect(other).toMatchObject({ code: 1 });
    expect(other.stderr).toContain("only frrconfigurations are generated");
  });

  test("routes --stream: one object a line, a large table whole", async () => {
    await using api = await serve({ core: fakeCore(5000) });
    const { stdout } = await asked(api, ["routes", "received", "--stream"]);
    const routes = parsedLines<{ prefix: string }>(stdout);
    expect(new Set(routes.map(({ prefix }) => prefix)).size).toBe(5000);
    expect(JSON.parse((await asked(api, ["routes", "received", "-o", "json"])).stdout)).toEqual(
      routes,
    );
  });
});

describe("log", () => {
  test("is one envelope a line in JSON, one fact a line for people", async () => {
    await using api = await serve();
    const { stdout } = await asked(api, ["log", "-o", "json", "-n", "2"]);
    expect(parsedLines<{ seq: number }>(stdout).map(({ seq }) => seq)).toEqual([2, 3]);
    const text = (await asked(api, ["log", "-n", "1"])).stdout.split("\n")[1];
    expect(text).toMatch(
      /^3 +2026-01-31T10:00:00\.000Z +session-observed +bgppeer\.metallb\.io\/metallb-system\/peer1 +root +state=Idle wrong AS$/,
    );
  });

  test("--follow goes on with what is committed and ends when the agent does", async () => {
    const api = await serve();
    const following = start(["log", "--follow", "-o", "json", "--socket", api.socketPath]);
    const seqs = () => parsedLines<{ seq: number }>(following.stdout()).map(({ seq }) => seq);
    await expect.poll(seqs, { timeout: 10_000 }).toEqual([1, 2, 3]);
    await expect
      .poll(
        () => {
          if (seqs().length === 3) api.core.commit();
          return seqs().length;
        },
        { timeout: 10_000 },
      )
      .toBeGreaterThan(3);
    expect(seqs()).toEqual(seqs().map((_, index) => index + 1));
    await api[Symbol.asyncDispose]();
    const { code, stderr } = await following.ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/the agent (has ended|broke off)/);
  });

  test("at takes a seq, a time or how long ago", async () => {
    await using api = await serve();
    await asked(api, ["at", "2", "status"]);
    await asked(api, ["at", "2026-01-31T10:00:00.5Z", "status"]);
    const { stdout } = await asked(api, ["at", "2", "status", "-o", "json"]);
    expect(api.core.asked.slice(0, 2)).toEqual([
      { type: "seq", seq: 2 },
      { type: "time", wall: 1_769_853_600_500_000_000n },
    ]);
    expect(JSON.parse(stdout)).toMatchObject({ logSeq: 2 });
  });
});
