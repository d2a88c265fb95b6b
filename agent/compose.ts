/**
 * The object graph of the running agent: the only file that may import everything.
 *
 * Order of a start: open the log and fold all of it, state the host's facts, read the manifests, plan, compare with what the
 * last version told, and only then apply. Nothing is withdrawn because something was not read yet.
 * Reads next: core/book.ts (the log and its fold), pipeline/commands.ts, pipeline/speaker.ts, core/core.ts.
 */
import { hash } from "node:crypto";
import { flushCompileCache } from "node:module";
import { hostname } from "node:os";
import { BehaviorSubject } from "rxjs";
import type { RestartContext } from "../backends/backend.ts";
import { systemClock } from "../backends/clock.ts";
import type { BackendName } from "../backends/intent.ts";
import { peerCredentials } from "../backends/native/io/libc.ts";
import { createBfdClient } from "../backends/bfd/client.ts";
import { openSocketReader } from "../backends/kernel/io/listening-sockets.ts";
import { rfc3339 } from "../events/log/export.ts";
import type { Writer } from "../events/log/open-log.ts";
import { socketGroup, thisHost } from "./api/access.ts";
import type { Api } from "./api/server.ts";
import { prepareSocketPath } from "./api/socket-path.ts";
import { openBackends, planOptionsOf, stopMode } from "./core/backend-start.ts";
import { openKernel } from "./core/kernel-start.ts";
import { bfdStarter } from "./core/bfd-start.ts";
import { type Book, openBook } from "./core/book.ts";
import { loadConfig } from "./config.ts";
import { type AgentConfig, type AgentOptions, hostFacts } from "./config-schema.ts";
import { confirmer } from "./core/confirm.ts";
import { createCore } from "./core/core.ts";
import { firstApply, onTheWire, sessionsUp } from "./core/settling.ts";
import { startFleet } from "./core/fleet-start.ts";
import { shadowSpeaker } from "./core/shadow.ts";
import { complaintsOf, findings } from "./core/findings.ts";
import { doctorReport } from "./core/doctor.ts";
import { followManifests } from "./core/manifest-source.ts";
import { speakersOf } from "./core/speakers.ts";
import { holdsAtStart } from "./core/upgrade-holds.ts";
import { reloads } from "./core/reload.ts";
import { createProbe } from "./health/probe.ts";
import { askedFirst, readListeners } from "./health/proc-net.ts";
import { createHealth } from "./health/runner.ts";
import { hostNetworks, programVersion } from "./identity.ts";
import { createLogger } from "./logger.ts";
import { startBfd } from "./pipeline/bfd.ts";
import { startFinding } from "./pipeline/found.ts";
import { forgetExports, startExports } from "./pipeline/exports.ts";
import { startFeeding } from "./pipeline/feeding.ts";
import { startKernel } from "./pipeline/kernel.ts";
import { createCommands } from "./pipeline/commands.ts";
import { type Planned, planning } from "./pipeline/reconcile.ts";
import { createRecorder } from "./pipeline/recorder.ts";
import { drawnDiscriminators, startSpeakerBfd } from "./pipeline/speaker-bfd.ts";
import { startSpeakers } from "./pipeline/speakers.ts";
import { nothingUnexplained } from "./pipeline/upgrade.ts";
import { allUsable, withheld } from "./pipeline/withhold.ts";
import { plan, replan } from "./plan/plan.ts";
import { neighborsOfAll } from "./plan/preview.ts";
import { giveBackAtRest } from "./rest.ts";
import { openSecrets } from "./secrets/secrets.ts";
import { thisService } from "./service-manager.ts";
import { stopSignal } from "./stop-signal.ts";

const sha256 = (text: string): string => hash("sha256", text);

/** Of the start: what main.ts had before this file was loaded. */
export type Early = { readonly config: AgentConfig; readonly writer: Writer };

/** Runs until SIGTERM or SIGINT. Rejects where the start fails: nothing was applied then. */
export async function runAgent(options: AgentOptions, { config, writer }: Early): Promise<void> {
  // From the first moment on: a stop while it starts ends it in order, too.
  const stopped = stopSignal();
  const reloading = reloads(config, () => loadConfig(options));
  const logger = createLogger(config.log.level);
  const manager = thisService(logger);
  const program = programVersion();
  const kernelOpening = openKernel(config, logger);
  const book = await openBook(config.stateDirectory, program, logger, writer);
  const { log, pen, before } = book;
  // Before the first session: an agent that nobody can ask must not speak for this host either.
  await prepareSocketPath(config.socket, socketGroup(thisHost));
  const recorder = createRecorder(log, pen, (act) => systemClock.after(RECORDING_LOOK_MILLIS, act));
  const secrets = openSecrets(config.stateDirectory);
  recorder.record(
    {
      type: "agent-started",
      run: book.run,
      program,
      pid: process.pid,
      backend: [config.backend, ...config.besides].join(", "),
      boot: book.boot,
    },
    "agent",
  );
  const commands = createCommands(before.desired, log, pen, recorder);
  const { kernel, problem: kernelProblem, ability } = await kernelOpening.read(before);
  // Node asks for each address with two calls and an object: 20,000 virtual IPs hold the loop for longer than the kernel's dump.
  const networks = () => kernel?.networks() ?? hostNetworks();
  const onHost = (): void => {
    const facts = hostFacts(reloading.current(), hostname(), networks(), secrets.given);
    if (JSON.stringify(commands.current().host?.facts) === JSON.stringify(facts)) return;
    commands.observe({ type: "observe-host", facts });
  };
  onHost();

  const backends = await openBackends({
    config,
    logger,
    reveal: secrets.reveal,
    restart: restartContext(book),
    addresses: kernel && (() => kernel.addresses()),
    before,
  });
  const speakers = speakersOf(backends);
  const names = backends.map(({ name }) => name);
  const planOptions = planOptionsOf(backends, config, ability);
  const sources = await followManifests(config, { commands, secrets, logger, clock: systemClock });
  const health = createHealth({
    clock: systemClock,
    readListeners: askedFirst(openSocketReader().read, readListeners()),
    probe: createProbe(reloading.checks),
    recorded: before.run?.boot === book.boot ? "trusted" : "stale",
    onChange: (service, healthy, reason) => {
      // Not from inside update(): a change of health is a change of desired state, which calls update() again.
      queueMicrotask(() =>
        commands.observe({ type: "observe-endpoint", service, healthy, reason }),
      );
    },
  });
  if (before.run !== undefined && before.run.boot !== book.boot) {
    // What was healthy before a reboot says nothing now: nothing is announced on the word of another boot.
    for (const service of before.desired.endpoints.keys()) {
      const reason = "the host was restarted, and this has not been checked since";
      commands.observe({ type: "observe-endpoint", service, healthy: false, reason });
    }
  }
  health.update(commands.current());
  await Promise.resolve();
  const stopExports = kernel && startExports(kernel, commands);
  if (kernel === undefined && before.run?.boot !== book.boot) forgetExports(commands);

  const holds = holdsAtStart({
    speakers: names,
    before,
    plan: (then) => plan(then, planOptions),
    program,
    onChangedPlan: config.upgrade.onChangedPlan,
    recorder,
  });
  const first: Planned = {
    desired: commands.current(),
    plan: plan(commands.current(), planOptions),
  };
  const planned$ = new BehaviorSubject(first);
  const planning$ = commands.desired$
    .pipe(planning(first, (old, desired) => replan(old, desired, planOptions)))
    .subscribe(planned$);
  const onBug = (error: unknown): void => {
    setImmediate(() => {
      throw error;
    });
  };
  const kernelDriver =
    kernel &&
    startKernel({
      kernel,
      speakers: names,
      recorder,
      onHost,
      onUnusable: () => planned$.next({ ...planned$.value }),
    });
  const feeding = kernel && startFeeding({ kernel, speakers: backends, planned$, onBug });
  const running = startSpeakers({
    backends,
    kernel: kernelDriver,
    program,
    planned$,
    changed$: commands.desired$,
    clock: systemClock,
    recorder,
    recorded: book.state,
    causes: commands.takeCauses,
    held: holds.of,
    sha256,
    pause: (attempt) =>
      new Promise((resolve) => {
        systemClock.after(Math.min(30_000, 100 * 2 ** attempt), resolve);
      }),
    onBug,
  });
  const bfd = createBfdClient({
    socketPath: config.bfd.socket,
    program,
    instance: book.run,
    clock: systemClock,
    reveal: secrets.reveal,
    discriminators: drawnDiscriminators(before),
    start: bfdStarter(config, process.env, logger),
  });
  const stopBfd = startBfd({ client: bfd, backend: speakers, planned$, recorder });
  const stopFinding = startFinding(speakers, commands);
  const stopSpeakerBfd = startSpeakerBfd({
    sessions: speakers.bfd,
    speaker: backends.find((one) => one.bfd !== undefined)?.name ?? speakers.name,
    recorder,
    before,
  });
  const watchingHealth = commands.desired$.subscribe((desired) => health.update(desired));

  // Last, on a state that is on its way to the wire already.
  const fleet = await startFleet({
    config,
    commands,
    log,
    secrets,
    logger,
    program,
    backend: speakers.name,
    peers: () => core.peers(),
  });

  let stopping = false;
  const wallStart = BigInt(Date.now()) * 1_000_000n;
  const monotonicMicros = Number(process.hrtime.bigint() / 1000n);
  const monotonicStart = systemClock.monotonicMillis();
  const wallOf = (millis: number) =>
    wallStart + BigInt(Math.round((millis - monotonicStart) * 1e6));
  const core = createCore({
    log,
    commands,
    secrets,
    backend: speakers,
    kernel,
    bfd,
    recorded: book.state,
    allRecorded: recorder.idle,
    planned: () => planned$.value,
    planOptions,
    shadow: (name) => shadowSpeaker(name, config, planOptions),
    replan: (old, desired) => replan(old, desired, planOptions),
    lastApply: running.last,
    waiting: () => running.waiting(planned$.value),
    complaints: () => complaintsOf(sources),
    onTheWire: () => onTheWire(running.settled),
    held: holds.all,
    withheld: () =>
      withheld(planned$.value.plan.kernel.addresses, kernelDriver?.unusable() ?? allUsable),
    confirm: confirmer({
      recorder,
      log,
      state: book.state,
      sources,
      commands,
      release: () => {
        holds.release();
        planned$.next({ ...planned$.value });
      },
    }),
    doctor: async () =>
      doctorReport(
        await findings({
          config,
          program,
          backend: speakers,
          kernel,
          kernelProblem,
          core,
          recorder,
          sources,
          secrets,
          planned: () => planned$.value,
        }),
      ),
    logFile: log.file,
    now: () => {
      const lost = recorder.notRecording();
      const waits =
        !nothingUnexplained(holds.all()) || Object.keys(book.state().suspected).length > 0;
      return {
        state: stopping ? "stopping" : waits ? "held" : lost === undefined ? "running" : "degraded",
        notRecording:
          lost === undefined
            ? null
            : { since: rfc3339(lost.since.wall), reason: lost.reason, lost: lost.lost },
        fleet: fleet?.view(wallOf) ?? null,
      };
    },
    wallOfMicros: (micros) => wallStart + BigInt(Math.round((micros - monotonicMicros) * 1e3)),
    wallOf,
  });
  // Loading it holds the loop for a tenth of a second: the peers' answers to our OPENs come first.
  await firstApply(running);
  await sessionsUp(speakers, neighborsOfAll(planned$.value.plan.speakers).keys());
  const { serveApi } = await import("./api/server.ts");
  const { openSideDoor } = await import("./api/side-door.ts");
  const api: Api = await serveApi({
    core,
    socketPath: config.socket,
    version: program,
    credentials: peerCredentials,
    logger,
    onBug,
  });
  const sideDoor =
    config.api &&
    (await openSideDoor({ ...config.api.listen, ...config.api }, { core, logger, onBug }));
  const snapshots = setInterval(() => void book.snapshot("due"), SNAPSHOT_LOOK_MILLIS);
  process.stdout.write(`ready ${api.socketPath}\n`);
  const stopReloading = reloading.follow({
    manager,
    logger,
    rescan: sources.rescan,
    onChange: onHost,
  });
  manager.ready(`serving on ${api.socketPath}`);
  const stopGivingBack = giveBackAtRest({ clock: systemClock, logger });
  // Node keeps what it compiled when a process ends; one that is killed leaves it to its successor, too.
  flushCompileCache();

  const signal = await stopped;
  logger.info({ signal }, "stopping");
  stopping = true;
  manager.stopping();
  stopReloading();
  clearInterval(snapshots);
  stopGivingBack();
  await fleet?.stop();
  sources.stop();
  health.stop();
  watchingHealth.unsubscribe();
  planning$.unsubscribe();
  running.stop();
  stopBfd();
  stopFinding();
  stopSpeakerBfd();
  await api.close();
  await sideDoor?.close();
  const modeOf = (backend: BackendName) => stopMode({ ...reloading.current(), backend }, signal);
  const ending = names.filter((name) => modeOf(name) === "final");
  const mode = ending.length === names.length ? "final" : "graceful";
  await speakers.close(modeOf);
  await feeding?.stop(mode === "final" ? [] : ending);
  kernelDriver?.stop();
  stopExports?.();
  await kernel?.close(mode === "final" ? "final" : "leave");
  await bfd.close(mode === "final" ? "final" : "leave");
  recorder.record({ type: "agent-stopped", mode }, "agent");
  await recorder.idle();
  await book.snapshot("now");
  await book.close();
}

/** A host at rest is woken rarely; what came in between is replayed at the next start. */
const SNAPSHOT_LOOK_MILLIS = 60_000;
/** A disk that was full is tried again this often, so that `status` is right when there is room again. */
const RECORDING_LOOK_MILLIS = 2000;

/** RFC 4724 §4.1: a speaker that ran before has restarted; within one boot of the kernel forwarding went on. */
const restartContext = ({ before, boot }: Book): RestartContext => ({
  restarting:
    before.run !== undefined &&
    [...before.sessions.values()].some(({ state }) => state === "Established"),
  forwardingPreserved: before.run?.boot === boot,
});
