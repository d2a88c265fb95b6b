/**
 * Commands in order: decided one after another, recorded in groups, answered after the commit.
 *
 * Each command is decided on committed and in-flight state (`head`). At most one group is on its way to the disk; commands
 * decided meanwhile form the next one, so a burst costs few commits and a single command costs one. When a group can't be
 * recorded, it and everything decided on top of it is discarded and answered NOT_RECORDED: nothing of it has had any
 * effect. Observed facts that the plan reads take effect at once, recorded or not (design §3). Never plans and never
 * speaks to a backend: desired$ carries the state that may take effect.
 */
import { BehaviorSubject, type Observable } from "rxjs";
import type { Actor, Fact, Source } from "../../events/envelope.ts";
import { applyDesired } from "../../events/fold.ts";
import type { EventId, Seq } from "../../events/ids.ts";
import { type EventLog, LogError } from "../../events/log/log.ts";
import type { DesiredState } from "../../events/state.ts";
import { type Command, decide } from "../decide/decide.ts";
import type { Decision } from "../decide/decision.ts";
import type { Pen } from "./pen.ts";
import type { Recorder } from "./recorder.ts";

export type Answer = {
  readonly decision: Decision;
  /** Seq of each recorded fact; empty where nothing had to be recorded. */
  readonly positions: ReadonlyMap<EventId, Seq>;
};

export type Commands = {
  /** Desired state that may take effect: everything committed, and what was observed since. */
  readonly desired$: Observable<DesiredState>;
  current(): DesiredState;
  /** What the next command is decided on: current(), and what is on its way to the disk. */
  head(): DesiredState;
  /** Decides without recording: what `--dry-run` and `plan` show. */
  preview(command: Command): Decision;
  /**
   * Resolves after the commit; rejects with LogError NOT_RECORDED. `before` runs ahead of the append (secrets to disk) and
   * rejects with LogError, too.
   */
  submit(
    command: Command,
    actor: Actor,
    source: Source,
    before?: () => Promise<void>,
  ): Promise<Answer>;
  /** Ids of what took effect since the last call, the newest CAUSES_MAX of them: why the next apply happens. */
  takeCauses(): readonly EventId[];
  /** An observation that the plan reads: in effect at once, recorded when the disk allows. */
  observe(
    command: Extract<
      Command,
      { type: "observe-host" | "observe-endpoint" | "observe-exports" | "observe-neighbor" }
    >,
  ): void;
};

type Waiting = {
  readonly facts: readonly Fact[];
  readonly decision: Decision;
  readonly before: (() => Promise<void>) | undefined;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
};

/** Facts in one group: bounds what one transaction holds and what a failure discards. */
const GROUP_FACTS_MAX = 20_000;
/** An apply that follows a change of 100,000 Services names the last of its causes; they name the change. */
const CAUSES_MAX = 64;

export function createCommands(
  initial: DesiredState,
  log: EventLog,
  pen: Pen,
  recorder: Recorder,
): Commands {
  /** Committed and observed, plus what is in flight: what the next command is decided on. */
  let head = initial;
  const live = new BehaviorSubject(initial);
  let waiting: Waiting[] = [];
  let flying: readonly Waiting[] = [];

  let causes: EventId[] = [];

  const foldLive = (facts: readonly Fact[]): void => {
    causes = [...causes, ...facts.map(({ id }) => id)].slice(-CAUSES_MAX);
    live.next(facts.reduce((state, { event, id }) => applyDesired(state, event, id), live.value));
  };

  const discard = (error: unknown): void => {
    const lost = [...flying, ...waiting];
    flying = [];
    waiting = [];
    head = live.value;
    for (const { reject } of lost) reject(error);
  };

  const takeGroup = (): readonly Waiting[] => {
    let count = 0;
    const end = waiting.findIndex(({ facts }) => (count += facts.length) > GROUP_FACTS_MAX);
    return waiting.splice(0, end <= 0 ? (end < 0 ? waiting.length : 1) : end);
  };

  const fly = async (): Promise<void> => {
    while (waiting.length > 0) {
      flying = takeGroup();
      const facts = flying.flatMap((one) => one.facts);
      try {
        for (const { before } of flying) await before?.();
        const receipt = await log.append(facts, "answered");
        const landed = flying;
        flying = [];
        answer(landed, facts, receipt.type === "recorded" ? receipt.positions : []);
      } catch (error) {
        if (!(error instanceof LogError)) throw error;
        discard(error);
      }
    }
  };

  const answer = (
    landed: readonly Waiting[],
    facts: readonly Fact[],
    positions: readonly { readonly seq: Seq }[],
  ): void => {
    foldLive(facts);
    const seqs = new Map(facts.map(({ id }, index) => [id, positions[index]?.seq ?? (0 as Seq)]));
    for (const { decision, resolve } of landed) resolve({ decision, positions: seqs });
  };

  const enqueue = (one: Waiting): void => {
    waiting.push(one);
    if (flying.length > 0 || waiting.length > 1) return;
    fly().catch((bug: unknown) => {
      discard(bug);
      throw bug;
    });
  };

  return {
    desired$: live.asObservable(),
    current: () => live.value,
    head: () => head,
    takeCauses: () => {
      const taken = causes;
      causes = [];
      return taken;
    },
    preview: (command) => decide(head, command, previewIds()),
    submit: (command, actor, source, before) =>
      new Promise((resolve, reject) => {
        const decision = decide(head, command, pen.nextId);
        if (decision.facts.length === 0) {
          resolve({ decision, positions: new Map() });
          return;
        }
        head = decision.after;
        const facts = pen.facts(decision.facts, actor, source);
        enqueue({ facts, decision, before, resolve, reject });
      }),
    observe(command) {
      const decision = decide(head, command, pen.nextId);
      if (decision.facts.length === 0) return;
      const facts = pen.facts(decision.facts, { type: "agent" }, { name: "agent" });
      head = decision.after;
      foldLive(facts);
      recorder.keep(facts);
    },
  };
}

/** Ids for decisions that are shown and thrown away; they never collide with a run's. */
function previewIds(): () => EventId {
  let counter = 0;
  return () => {
    counter += 1;
    return `preview-${counter}` as EventId;
  };
}
