/**
 * Which neighbours' routes must be judged or told anew because policies changed: exactly those for whom they did.
 *
 * Pure. A policy of gobgpd holds for what comes; what is there already is gone through only on a soft reset.
 * Reads next: difference.ts, render/policies.ts.
 */
import type { DefinedSet, Statement } from "./api/messages.ts";
import type { ListedPolicies } from "./difference.ts";
import { isOurs } from "./render/names.ts";
import { type Policies, POLICIES } from "./render/policies.ts";

export type SoftResets = { readonly in: ReadonlySet<string>; readonly out: ReadonlySet<string> };

type Direction = keyof typeof POLICIES;
/** For each address with its length, what is done with routes from or to it. */
type Doings = Readonly<Record<Direction, ReadonlyMap<string, ReadonlySet<string>>>>;

/** `classes`: sets of the classes whose routes were told before; for a class that is new, gobgpd tells its routes as they come. */
export function softResets(
  before: Policies,
  after: Policies,
  classes: ReadonlySet<string>,
): SoftResets {
  const [old, young] = [doingsOf(before), doingsOf(after)];
  const changed = (
    direction: Direction,
    counts: (doing: string) => boolean,
  ): ReadonlySet<string> => {
    const addresses = new Set<string>();
    for (const [address, doings] of young[direction]) {
      const known = old[direction].get(address);
      const differs = [...doings].some((one) => known?.has(one) !== true && counts(one));
      const lacks = direction === "import" && [...(known ?? [])].some((one) => !doings.has(one));
      if (differs || lacks) addresses.add(address.slice(0, address.lastIndexOf("/")));
    }
    if (direction === "export") return addresses;
    for (const address of old.import.keys()) {
      if (!young.import.has(address)) addresses.add(address.slice(0, address.lastIndexOf("/")));
    }
    return addresses;
  };
  return {
    in: changed("import", () => true),
    out: changed("export", (doing) => [...classes].some((name) => doing.includes(name))),
  };
}

function doingsOf({ sets, statements }: Policies): Doings {
  const doings = { import: new Map<string, Set<string>>(), export: new Map<string, Set<string>>() };
  for (const { policy, statement } of statements.values()) {
    const direction = policy.includes("import") ? "import" : "export";
    // Who is ours is no change for those who are.
    if (policy.endsWith("-rest")) continue;
    const { neighbor_set, ...conditions } = statement.conditions;
    const doing = JSON.stringify([conditions, statement.actions]);
    for (const address of sets.get(neighbor_set?.name ?? "")?.list ?? []) {
      const known = doings[direction].get(address) ?? new Set();
      doings[direction].set(address, known.add(doing));
    }
  }
  return doings;
}

/**
 * What gobgpd holds of ours, in our words where it is still wanted: after a restart of the agent nothing else is known of before.
 * A statement that is not wanted any more stands as gobgpd spells it, and so differs from every one that is.
 */
export function policiesListed({ sets, policies }: ListedPolicies, wanted: Policies): Policies {
  const known = new Map<string, DefinedSet>(
    sets
      .filter(({ name }) => isOurs(name))
      .map((one) => [one.name, wanted.sets.get(one.name) ?? one]),
  );
  const names = [...POLICIES.import, ...POLICIES.export];
  const statements = new Map<string, { policy: (typeof names)[number]; statement: Statement }>();
  for (const { name, statements: own } of policies) {
    const policy = names.find((one) => one === name);
    if (policy === undefined) continue;
    for (const one of own) {
      statements.set(one.name, {
        policy,
        statement: wanted.statements.get(one.name)?.statement ?? one,
      });
    }
  }
  return { sets: known, statements };
}

/** The same as gobgpd would list it, where we know that it holds just this. */
export function listedOf({ sets, statements }: Policies): ListedPolicies {
  const own = [...statements.values()];
  const names = own.length === 0 ? [] : [...POLICIES.import, ...POLICIES.export];
  return {
    sets: [...sets.values()],
    statements: own.map(({ statement }) => statement),
    policies: names.map((name) => ({
      name,
      statements: own.filter(({ policy }) => policy === name).map(({ statement }) => statement),
    })),
    assignments: (["import", "export"] as const).map((direction) => ({
      name: "global",
      direction: direction === "import" ? 1 : 2,
      policies: own.length === 0 ? [] : POLICIES[direction].map((name) => ({ name })),
    })),
  };
}
