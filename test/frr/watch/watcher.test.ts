/** Sessions and daemons as the watcher tells them, against daemons that answer what the test says. */
import { describe, expect, test } from "vitest";
import { address } from "../../../events/address.ts";
import { type Bench, bench } from "./bench.ts";
import { type FakeDaemon, intentOf, neighbor, recorded, unreachable } from "./fake.ts";

const told = (facts: Bench["facts"]): readonly string[] =>
  facts.flatMap((fact) =>
    fact.type === "session"
      ? [`${fact.neighbor} ${fact.status.state} ${fact.status.reason}`.trim()]
      : [],
  );
/** The recorded summary with other words in the part of 10.9.0.2. */
function summaryWith(...changes: readonly (readonly [string, string])[]): string {
  const text = recorded("summary.txt");
  const from = text.indexOf('"10.9.0.2":{');
  const end = text.indexOf("}", from);
  const part = changes.reduce((one, [was, is]) => one.replace(was, is), text.slice(from, end));
  return text.slice(0, from) + part + text.slice(end);
}
/** The recorded answers, with 10.9.0.2 lost by BFD. */
function lose(bgpd: FakeDaemon): void {
  const failed = recorded("summary-failed.txt").replace(
    '"10.9.0.77":{',
    '"10.9.0.2":{"connectionsEstablished":2,"connectionsDropped":2,"lastResetDueTo":"BFD down received"},"10.9.0.77":{',
  );
  bgpd.answers.set(
    "show bgp vrf all summary json",
    summaryWith(
      ['"state":"Established"', '"state":"Idle"'],
      ['"connectionsDropped":1', '"connectionsDropped":2'],
    ),
  );
  bgpd.answers.set("show bgp vrf all summary failed json", failed);
  bgpd.answers.set(
    "show bgp vrf default neighbors 10.9.0.2 json",
    '{"10.9.0.2":{"bgpState":"Idle","lastResetDueTo":"BFD down received"}}',
  );
}

describe("sessions", () => {
  test("are told once, with what was agreed, and nothing more while nothing moves", async () => {
    using one = await bench();
    expect(one.watcher.sessions()).toMatchObject([
      {
        name: "name of 10.9.0.2",
        state: "Established",
        holdTimeSeconds: 9,
        families: ["ipv4"],
        received: 2,
        sent: 5,
        resets: 1,
        found: undefined,
      },
      { state: "Active", reason: "no answer from the peer yet", holdTimeSeconds: 90 },
      {
        state: "Established",
        families: ["ipv4", "ipv6"],
        received: 4,
        found: { interface: "e0", address: "fe80::4c3a:f2ff:fef1:146a" },
      },
    ]);
    await one.advance(5_000);
    expect(told(one.facts)).toEqual([
      "|10.9.0.2| Established",
      "|10.9.0.77| Active no answer from the peer yet",
      "|e0| Established",
    ]);
    // The cheap look goes on; nobody is asked about again.
    expect(one.bgpd.asked.filter((what) => what.includes("neighbors 10.9.0.2 json"))).toHaveLength(
      1,
    );
    expect(one.bgpd.asked.filter((what) => what.includes("failed")).length).toBeGreaterThan(30);
    expect(one.bgpd.asked.filter((what) => what.includes("summary json")).length).toBeLessThan(25);
  });

  test("that end are told within 200 ms, with why, and that is remembered when bgpd has forgotten", async () => {
    using one = await bench();
    one.facts.length = 0;
    lose(one.bgpd);
    await one.advance(200);
    expect(told(one.facts)).toEqual(["|10.9.0.2| Idle BFD down received"]);
    const failed = one.bgpd.answers.get("show bgp vrf all summary failed json") ?? "";
    one.bgpd.answers.set(
      "show bgp vrf all summary failed json",
      failed.replace("BFD down received", "Waiting for NHT"),
    );
    await one.advance(1_200);
    expect(one.watcher.sessions()[0]).toMatchObject({
      state: "Idle",
      reason: "bgpd has no route to the peer; before: BFD down received",
      resets: 2,
      capabilities: [],
    });
  });

  test("that are said to have ended are looked at at once, and then not oftener than every 50 ms", async () => {
    using one = await bench();
    one.facts.length = 0;
    // Behind the look that the bench began with.
    await one.advance(10);
    const before = one.bgpd.asked.filter((what) => what.includes("failed")).length;
    lose(one.bgpd);
    const at = address("10.9.0.2");
    one.watcher.heard({ address: at, reason: "the peer closed the connection" });
    await one.advance(10);
    // bgpd's own word goes before what was heard.
    expect(told(one.facts)).toEqual(["|10.9.0.2| Idle BFD down received"]);
    for (let i = 0; i < 7; i += 1) {
      one.watcher.heard({ address: at, reason: "" });
      await one.advance(10);
    }
    const looks = one.bgpd.asked.filter((what) => what.includes("failed")).length - before;
    expect(looks).toBe(2);
  });

  test("that ended for a reason which bgpd forgot have the one that was heard, once", async () => {
    using one = await bench();
    one.facts.length = 0;
    const flap = (times: number) =>
      one.bgpd.answers.set(
        "show bgp vrf all summary json",
        summaryWith(
          ['"connectionsEstablished":2', `"connectionsEstablished":${2 + times}`],
          ['"connectionsDropped":1', `"connectionsDropped":${1 + times}`],
        ),
      );
    const at = address("10.9.0.2");
    flap(1);
    one.watcher.heard({ address: at, reason: "the peer closed the connection" });
    one.watcher.heard({ address: address("10.9.0.99"), reason: "nobody's" });
    await one.advance(60);
    flap(2);
    one.watcher.heard({ address: at, reason: "" });
    await one.advance(60);
    expect(told(one.facts)).toEqual([
      "|10.9.0.2| Established the peer closed the connection",
      "|10.9.0.2| Established the session was lost",
    ]);
  });

  test("of one address in two VRFs are looked at, and the reason is nobody's", async () => {
    using one = await bench();
    const both = intentOf([neighbor("10.9.0.2"), neighbor("10.9.0.2", { vrf: "red" })]);
    const [main] = both.routers;
    const [ours, other] = main?.neighbors ?? [];
    if (main === undefined || ours === undefined || other === undefined)
      throw new Error("no router");
    one.watcher.neighbors({
      ...both,
      routers: [
        { ...main, neighbors: [ours] },
        { ...main, key: "red|64512|", vrf: "red", neighbors: [other] },
      ],
    });
    await one.advance(300);
    one.bgpd.answers.set(
      "show bgp vrf all summary json",
      summaryWith(['"connectionsDropped":1', '"connectionsDropped":2']),
    );
    one.facts.length = 0;
    one.watcher.heard({ address: address("10.9.0.2"), reason: "whose?" });
    await one.advance(10);
    expect(told(one.facts)).toEqual(["|10.9.0.2| Established the session was lost"]);
  });

  test("a flap between two looks is told by its counter", async () => {
    using one = await bench();
    one.facts.length = 0;
    const flapped = summaryWith(
      ['"connectionsEstablished":2', '"connectionsEstablished":3'],
      ['"connectionsDropped":1', '"connectionsDropped":2'],
    );
    one.bgpd.answers.set("show bgp vrf all summary json", flapped);
    await one.advance(1_200);
    expect(one.facts).toMatchObject([
      {
        type: "session",
        neighbor: "|10.9.0.2|",
        status: { state: "Established", resets: 2, reason: "the session was lost" },
      },
    ]);
  });

  test("routes that move are counted, and are no change of the session", async () => {
    using one = await bench();
    one.facts.length = 0;
    const moved = summaryWith(['"pfxSnt":5', '"pfxSnt":3']);
    one.bgpd.answers.set("show bgp vrf all summary json", moved);
    await one.advance(1_200);
    expect(one.facts).toEqual([
      { type: "routes", neighbor: "|10.9.0.2|", received: 2, announced: 0, withdrawn: 2 },
    ]);
  });

  test("what bgpd has besides is not shown, and what it has not yet says so", async () => {
    using one = await bench(intentOf([neighbor("10.9.0.99")]));
    expect(one.watcher.sessions()).toMatchObject([
      { neighbor: "|10.9.0.99|", state: "Idle", reason: "not in bgpd's configuration yet" },
    ]);
  });

  test("nobody to watch costs one question a second", async () => {
    using one = await bench(intentOf([]));
    one.bgpd.asked.length = 0;
    await one.advance(10_000);
    expect(new Set(one.bgpd.asked)).toEqual(new Set(["show modules"]));
    expect(one.bgpd.asked.length).toBeLessThan(12);
  });
});

describe("a daemon", () => {
  const down = (one: Bench) =>
    one.watcher.sessions().map(({ state, reason }) => `${state} ${reason}`);

  test("that is gone: no session is Established any more, and it is not asked in a tight loop", async () => {
    using one = await bench();
    one.bgpd.fault = unreachable("ECONNREFUSED");
    await one.advance(200);
    expect(new Set(down(one))).toEqual(new Set(["Idle bgpd does not answer: ECONNREFUSED"]));
    expect(one.watcher.problems()).toEqual(["bgpd does not answer: ECONNREFUSED"]);
    one.bgpd.asked.length = 0;
    await one.advance(10_000);
    expect(one.bgpd.asked.length).toBeLessThan(45);
    expect(one.news).toEqual(["bgpd up", "bgpd down ECONNREFUSED"]);
  });

  test("that hangs is told within 3 s, and nothing is shown of before when it goes on", async () => {
    using one = await bench();
    const answers = new Map(one.bgpd.answers);
    for (const key of answers.keys()) one.bgpd.answers.set(key, undefined);
    await one.advance(3_000);
    expect(one.news).toEqual(["bgpd up", "bgpd down no answer for 2.5 s"]);
    expect(new Set(down(one))).toEqual(new Set(["Idle bgpd does not answer: no answer for 2.5 s"]));
  });

  test("that prints half of its answers counts as gone after 2 s", async () => {
    using one = await bench();
    one.bgpd.answers.set("show bgp vrf all summary json", recorded("summary.txt").slice(0, 900));
    one.bgpd.answers.set("show bgp vrf all summary failed json", '{"default":');
    await one.advance(3_000);
    expect(down(one)[0]).toContain(
      'what it answers to "show bgp vrf all summary failed json" makes no sense',
    );
  });

  test("that prints half an answer once is asked again, and nothing is told", async () => {
    using one = await bench();
    one.facts.length = 0;
    one.bgpd.answers.set("show bgp vrf all summary failed json", '{"default":');
    await one.advance(400);
    one.bgpd.answers.set("show bgp vrf all summary failed json", recorded("summary-failed.txt"));
    await one.advance(3_000);
    expect([told(one.facts), one.news]).toEqual([[], ["bgpd up"]]);
  });

  test("that is another process is told as restarted, and its sessions begin anew", async () => {
    using one = await bench();
    one.bgpd.answers.set("show modules", recorded("modules.txt").replace(/pid: \d+/, "pid: 7"));
    one.bgpd.answers.set(
      "show bgp vrf all summary json",
      '{"default":{"ipv4Unicast":{"tableVersion":0,"peers":{"10.9.0.2":{"state":"Active"}}}}}',
    );
    one.bgpd.answers.set("show bgp vrf all summary failed json", '{"default":{}}');
    one.bgpd.answers.set(
      "show bgp vrf default neighbors 10.9.0.2 json",
      '{"10.9.0.2":{"bgpState":"Active"}}',
    );
    await one.advance(1_200);
    expect(one.news).toEqual(["bgpd up", "bgpd restarted bgpd is another process than before (7)"]);
    expect(one.watcher.sessions()[0]).toMatchObject({
      state: "Active",
      reason: "bgpd was restarted",
      resets: 0,
    });
  });

  test("whose counters went back is asked at once whether it is another process", async () => {
    using one = await bench();
    one.bgpd.answers.set("show modules", "pid: 7\n");
    one.bgpd.answers.set(
      "show bgp vrf all summary json",
      summaryWith(['"connectionsDropped":1', '"connectionsDropped":0']),
    );
    await one.advance(300);
    expect(one.news).toHaveLength(2);
    expect(one.news[1]).toContain("restarted");
  });

  test("that is back is up, once", async () => {
    using one = await bench();
    one.bgpd.fault = unreachable("ECONNREFUSED");
    await one.advance(1_000);
    one.bgpd.fault = undefined;
    await one.advance(1_000);
    expect(one.news).toEqual(["bgpd up", "bgpd down ECONNREFUSED", "bgpd up"]);
    expect(one.watcher.sessions()[0]).toMatchObject({ state: "Established", reason: "" });
  });
});
