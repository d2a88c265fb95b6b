/**
 * What gobgpd lists against what is wanted: a round trip over any change leaves no difference, and others' things alone.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ListedPeer, PeerMessage, Statement } from "../../backends/gobgp/api/messages.ts";
import {
  type Call,
  type ListedPolicies,
  peerCalls,
  policyCalls,
  type WantedPeer,
} from "../../backends/gobgp/difference.ts";
import { bookOf } from "../../backends/gobgp/render/classes.ts";
import { peerMessage } from "../../backends/gobgp/render/peers.ts";
import { NO_POLICIES, type Policies, policiesOf } from "../../backends/gobgp/render/policies.ts";
import { listedOf, softResets } from "../../backends/gobgp/soft-resets.ts";
import { prefix } from "../../events/prefix.ts";
import { peer, rendered, THREE, told } from "./world.ts";

const A = "192.0.2.1";
const B = "192.0.2.2";

const setNames = ({
  conditions: { afi_safi_in: _families, ...matches },
}: Statement): readonly string[] => Object.values(matches).map(({ name }) => name);

/** A gobgpd of the policies alone: refuses what the real one refuses. */
function model(listed: ListedPolicies) {
  const sets = new Map(listed.sets.map((one) => [one.name, one]));
  const statements = new Map(listed.statements.map((one) => [one.name, one]));
  const policies = new Map(
    listed.policies.map((one) => [one.name, one.statements.map(({ name }) => name)]),
  );
  const assigned = new Map(
    listed.assignments.map((one) => [one.direction, one.policies.map(({ name }) => name)]),
  );
  const must = (isSo: boolean, what: string): void => {
    if (!isSo) throw new Error(what);
  };
  const take = ({ method, request }: Call): void => {
    if (method === "AddDefinedSet") sets.set(request.defined_set.name, request.defined_set);
    else if (method === "AddStatement") {
      for (const name of setNames(request.statement)) must(sets.has(name), `no set ${name}`);
      statements.set(request.statement.name, request.statement);
    } else if (method === "AddPolicy") {
      const names = request.policy.statements.map(({ name }) => name);
      for (const name of names) must(statements.has(name), `no statement ${name}`);
      policies.set(request.policy.name, [...(policies.get(request.policy.name) ?? []), ...names]);
    } else if (method === "DeletePolicy") {
      const { name } = request.policy;
      const gone = new Set(request.policy.statements.map((one) => one.name));
      must(!request.all || ![...assigned.values()].flat().includes(name), `${name} is in use`);
      if (request.all) policies.delete(name);
      else
        policies.set(
          name,
          (policies.get(name) ?? []).filter((one) => !gone.has(one)),
        );
    } else if (method === "DeleteStatement") {
      must(
        ![...policies.values()].flat().includes(request.statement.name),
        "the statement is in use",
      );
      statements.delete(request.statement.name);
    } else if (method === "DeleteDefinedSet") {
      const { name } = request.defined_set;
      const users = [...statements.values()].flatMap(setNames);
      must(!users.includes(name), `${name} is in use`);
      sets.delete(name);
    } else if (method === "SetPolicyAssignment") {
      const names = request.assignment.policies.map(({ name }) => name);
      for (const name of names) must(policies.has(name), `no policy ${name}`);
      assigned.set(request.assignment.direction, names);
    } else throw new Error(`${method} is no call about policies`);
  };
  const list = (): ListedPolicies => ({
    sets: [...sets.values()],
    statements: [...statements.values()],
    policies: [...policies].map(([name, own]) => ({
      name,
      statements: own.flatMap((one) => statements.get(one) ?? []),
    })),
    assignments: [...assigned].map(([direction, names]) => ({
      name: "global",
      direction,
      policies: names.map((name) => ({ name })),
    })),
  });
  return { take, list };
}

const anyPolicies = fc
  .record({
    peers: fc.subarray([A, B, "192.0.2.3", "2001:db8::1"]),
    routes: fc.dictionary(
      fc.constantFrom("203.0.113.1/32", "203.0.113.2/32", "2001:db8:f::/64"),
      fc.tuple(
        fc.subarray([A, B, "2001:db8::1"], { minLength: 1 }),
        fc.constantFrom(undefined, 1, 2),
      ),
    ),
    receive: fc.constantFrom(
      { type: "nothing" } as const,
      { type: "everything" } as const,
      {
        type: "prefixes",
        prefixes: [{ prefix: prefix("10.0.0.0/8"), atLeast: 8, atMost: 24 }],
      } as const,
    ),
  })
  .map(
    ({ peers, routes, receive }) =>
      rendered(
        peers.map((remote) => peer(remote, { receive, families: ["ipv4", "ipv6"] })),
        Object.fromEntries(
          Object.entries(routes).map(([text, [to, med]]) => [text, [told(to, { med })]]),
        ),
      ).policies,
  );

describe("policies", () => {
  test("from any to any other in calls that gobgpd takes, after which nothing is left to do", () => {
    const others: ListedPolicies = {
      sets: [{ defined_type: 0, name: "theirs", list: [], prefixes: [] }],
      statements: [
        {
          name: "their-statement",
          conditions: { prefix_set: { type: 0, name: "theirs" } },
          actions: { route_action: 1 },
        },
      ],
      policies: [
        {
          name: "their-policy",
          statements: [
            {
              name: "their-statement",
              conditions: { prefix_set: { type: 0, name: "theirs" } },
              actions: { route_action: 1 },
            },
          ],
        },
      ],
      assignments: [{ name: "global", direction: 2, policies: [{ name: "their-policy" }] }],
    };
    fc.assert(
      fc.property(anyPolicies, anyPolicies, (first, second) => {
        const gobgpd = model(others);
        for (const wanted of [first, second]) {
          const { before, after } = policyCalls(gobgpd.list(), wanted);
          for (const call of [...before, ...after]) gobgpd.take(call);
          expect(policyCalls(gobgpd.list(), wanted)).toEqual({ before: [], after: [] });
          expect(policyCalls(listedOf(wanted), wanted)).toEqual({ before: [], after: [] });
        }
        for (const call of Object.values(policyCalls(gobgpd.list(), NO_POLICIES)).flat())
          gobgpd.take(call);
        expect({
          ...gobgpd.list(),
          assignments: gobgpd.list().assignments.filter(({ policies }) => policies.length > 0),
        }).toEqual(others);
      }),
    );
  });

  test("one more class is four calls, and one more route of a class none", () => {
    const before = rendered([peer(A)], { "203.0.113.1/32": [told([A])] }).policies;
    const same = rendered([peer(A)], {
      "203.0.113.1/32": [told([A])],
      "203.0.113.2/32": [told([A])],
    });
    expect(policyCalls(listedOf(before), same.policies)).toEqual({ before: [], after: [] });
    const more = rendered([peer(A)], {
      "203.0.113.1/32": [told([A])],
      "203.0.113.2/32": [told([A], { med: 1 })],
    });
    const calls = policyCalls(listedOf(before), more.policies);
    expect(calls.before.map(({ method }) => method)).toEqual([
      "AddDefinedSet",
      "AddStatement",
      "AddPolicy",
    ]);
    expect(calls.after).toEqual([]);
  });
});

describe("soft resets", () => {
  const withRule = (type: "nothing" | "everything"): Policies =>
    rendered([peer(A), peer(B, { receive: { type } })]).policies;

  test("judge anew only the neighbour whose rule changed, also where another shared it", () => {
    expect(softResets(withRule("everything"), withRule("nothing"), new Set())).toEqual({
      in: new Set([B]),
      out: new Set(),
    });
    expect(softResets(withRule("nothing"), withRule("nothing"), new Set()).in.size).toBe(0);
  });

  test("tell anew only who gains a class that was there before", () => {
    const routes = (...to: string[]) => ({ "203.0.113.1/32": [told(to)] });
    const before = rendered([peer(A), peer(B)], routes(A));
    const after = rendered([peer(A), peer(B)], routes(A, B));
    const classes = new Set(
      [...before.policies.sets.keys()].filter((name) => name.includes("classes")),
    );
    expect(softResets(before.policies, after.policies, classes).out).toEqual(new Set([B]));
    expect(softResets(before.policies, after.policies, new Set()).out.size).toBe(0);
  });

  test("a class whose routes somebody may see no longer gets another marker", () => {
    const before = rendered([peer(A), peer(B)], { "203.0.113.1/32": [told([A, B])] });
    const held = new Map([[prefix("203.0.113.1/32"), 1]]);
    const after = rendered([peer(A), peer(B)], { "203.0.113.1/32": [told([A])] });
    const next = (mayKeep: boolean) => {
      const book = bookOf(after.intent, held, before.book, () => mayKeep);
      return book.routes.get(prefix("203.0.113.1/32"))?.marker;
    };
    expect([next(true), next(false)]).toEqual([1, 2]);
    expect(policiesOf([], [], THREE)).toEqual(NO_POLICIES);
  });
});

const listed = (message: PeerMessage, more: Partial<ListedPeer["state"]> = {}): ListedPeer => ({
  conf: message.conf,
  state: {
    messages: null,
    neighbor_address: message.conf.neighbor_address,
    peer_asn: 64999,
    session_state: 6,
    admin_state: 0,
    remote_cap: [],
    local_cap: [],
    router_id: "",
    ...more,
  },
  timers: { config: message.timers.config, state: null },
  transport: message.transport,
  afi_safis: message.afi_safis.map(({ config, prefix_limits: limit }) => ({
    config,
    mp_graceful_restart: null,
    state: null,
    prefix_limits: limit ?? null,
  })),
});

describe("neighbours", () => {
  const messageOf = (...given: Parameters<typeof peer>): PeerMessage => {
    const [one] = rendered([peer(...given)]).speaking;
    if (one === undefined) throw new Error("refused");
    return peerMessage(one, { password: undefined, restarting: false, adminDown: false });
  };
  const wanted = (
    message: PeerMessage,
    more: Partial<WantedPeer> = {},
  ): ReadonlyMap<string, WantedPeer> =>
    new Map([
      [
        message.conf.neighbor_address,
        { message, down: undefined, takeOver: false, isForgiven: false, ...more },
      ],
    ]);
  const methods = (...given: Parameters<typeof peerCalls>): readonly string[] =>
    peerCalls(...given).calls.map(({ method }) => method);
  const message = messageOf(A);

  test("as they are cost nothing; a timer is an update; what takes a new session is a new peer", () => {
    expect(methods([listed(message)], wanted(message))).toEqual([]);
    expect(methods([listed(message)], wanted(messageOf(A, { connectRetrySeconds: 9 })))).toEqual([
      "UpdatePeer",
    ]);
    expect(methods([listed(message)], wanted(messageOf(A, { holdTimeSeconds: 30 })))).toEqual([
      "DeletePeer",
      "AddPeer",
      "UpdatePeer",
    ]);
    expect(methods([listed(message)], new Map())).toEqual(["DeletePeer"]);
  });

  test("that are shut down without a reason are enabled, and those with one are shut down", () => {
    expect(methods([listed(message, { admin_state: 1 })], wanted(message))).toEqual(["EnablePeer"]);
    expect(
      methods([listed(message, { admin_state: 1 })], wanted(message, { down: "BFD Down" })),
    ).toEqual([]);
    expect(methods([listed(message)], wanted(message, { down: "BFD Down" }))).toEqual([
      "DisablePeer",
    ]);
    expect(methods([listed(message, { admin_state: 2 })], wanted(message))).toEqual([]);
    expect(
      methods([listed(message, { admin_state: 2 })], wanted(message, { isForgiven: true })),
    ).toEqual(["EnablePeer"]);
  });

  test("that somebody else made are left alone, or replaced where that is said", () => {
    const theirs = listed({ ...message, conf: { ...message.conf, description: "core router" } });
    expect(peerCalls([theirs], wanted(message))).toEqual({ calls: [], foreign: new Set([A]) });
    expect(methods([theirs], new Map())).toEqual([]);
    expect(methods([theirs], wanted(message, { takeOver: true }))).toEqual([
      "DeletePeer",
      "AddPeer",
      "UpdatePeer",
    ]);
  });

  test("are told why in at most 128 octets (RFC 9003 §2), cut between characters", () => {
    const [call] = peerCalls([listed(message)], wanted(message, { down: "ä".repeat(65) })).calls;
    expect(call?.request).toEqual({ address: A, communication: "ä".repeat(64) });
  });
});
