/**
 * The proof that nothing is lost: it runs commands against a real installation, kills its parts, and compares. It is a
 * client and a bystander: it speaks the public API, reads the disk, and must never import anything of the product.
 */
import { EventEmitter, once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseChaosArguments, USAGE, UsageError, type ChaosOptions } from './arguments.js';
import { Assault, GAP_MS_MAX } from './assault.js';
import { ApiWatch, BACK_WITHIN_MS } from './api-watch.js';
import { auditAll } from './audit.js';
import { bulkText } from './bulk/result.js';
import { BulkRun } from './bulk/run.js';
import { Client } from './client.js';
import { Harm } from './harm.js';
import { describeInjury, TARGETS, type Injury, type Target } from './injury.js';
import { openInstallation, startInstallation, type Installation } from './installation.js';
import { findLeaks } from './leaks.js';
import { gitText } from './git/result.js';
import { GitRun } from './git/run.js';
import { lifecycleText } from './lifecycle/result.js';
import { LifecycleRun } from './lifecycle/run.js';
import { canHaveOwnNetwork, runInOwnNetwork } from './own-network.js';
import { pause, until } from './pause.js';
import { publish, publishBulk, publishGit, publishLifecycle } from './proof.js';
import { Random } from './random.js';
import { summarise, textResult, type ChaosResult } from './result.js';
import type { SiegeResult } from './siege.js';
import { openSandbox, Traffic } from './traffic.js';
import type { Violation } from './violation.js';
import { findDisk, type SandboxDisk } from './witness.js';

const ENTRY = 'test/chaos/chaos.mjs';
const SANDBOXES = 3;
/** The first execs are under way before the first kill. */
const WARM_UP_MS = 3_000;
/** With as many execs in flight and no kills, before the first and after the last: then reads can be compared. */
const CALM_MS = 40_000;
const SETTLE_MS = 15_000;
const READY_WITHIN_MS = 120_000;
const READY_LOOK_MS = 500;
const NEVER_MS = Number.MAX_SAFE_INTEGER;
const INTERRUPTED = 130;

export async function main(argv: readonly string[], root: string): Promise<number> {
  try {
    const options = parseChaosArguments(argv);
    if (options === undefined) {
      process.stdout.write(`${USAGE}\n`);
      return 0;
    }
    if (process.getuid?.() !== 0)
      throw new UsageError('Only root may kill processes in sandboxes and read their volumes.');
    const isOurs = options.stateDirectory === undefined;
    if (isOurs && canHaveOwnNetwork()) return await runInOwnNetwork(join(root, ENTRY), argv);
    return await runChaos(options, root);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n\n${USAGE}\n`);
    return 2;
  }
}

async function runChaos(options: ChaosOptions, root: string): Promise<number> {
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  say(
    `Seed ${options.seed}. Starting ${options.stateDirectory === undefined ? 'an installation' : 'in a running installation'} …`,
  );
  const installation =
    options.stateDirectory === undefined
      ? await startInstallation(root, options)
      : openInstallation(options.stateDirectory);
  const interruption = listenForInterruption();
  try {
    if (options.subject !== 'exec') {
      const { result, text, publish: publishIt } = await besiege(options, installation, say, interruption);
      if (interruption.aborted) return INTERRUPTED;
      process.stdout.write(`${options.json ? JSON.stringify(result, undefined, 2) : text}\n`);
      if (options.publish) publishIt(root);
      return result.broken.length === 0 ? 0 : 1;
    }
    const source = readFileSync(join(root, 'test/chaos/program.pl'), 'utf8');
    const result = await new Run(options, installation, source, say).run(interruption);
    if (result === undefined) return INTERRUPTED;
    process.stdout.write(`${options.json ? JSON.stringify(result, undefined, 2) : textResult(result)}\n`);
    if (options.publish) publish(root, result);
    return result.violations.length === 0 && result.reads?.verdict !== 'not back' ? 0 : 1;
  } finally {
    await installation.end();
  }
}

interface Besieging {
  readonly result: SiegeResult;
  readonly text: string;
  readonly publish: (root: string) => void;
}

async function besiege(
  options: ChaosOptions,
  installation: Installation,
  say: (line: string) => void,
  interruption: AbortSignal,
): Promise<Besieging> {
  if (options.subject === 'bulk') {
    const result = await new BulkRun(options, installation, say).run(interruption);
    return { result, text: bulkText(result), publish: (root) => publishBulk(root, result) };
  }
  if (options.subject === 'git') {
    const result = await new GitRun(options, installation, say).run(interruption);
    return { result, text: gitText(result), publish: (root) => publishGit(root, result) };
  }
  const result = await new LifecycleRun(options, installation, say).run(interruption);
  return { result, text: lifecycleText(result), publish: (root) => publishLifecycle(root, result) };
}

function listenForInterruption(): AbortSignal {
  const interruption = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => interruption.abort());
  return interruption.signal;
}

async function interrupted(signal: AbortSignal): Promise<undefined> {
  if (!signal.aborted) await once(signal, 'abort');
  return undefined;
}

class Run {
  private readonly random: Random;
  private readonly client: Client;
  private readonly moments = new EventEmitter();
  private readonly startedAtMs = Date.now();
  private readonly runId: string;
  private readonly keyPattern: RegExp;
  private readonly disks = new Map<string, SandboxDisk>();
  private readonly told = new Set<string>();
  private before: ReadonlySet<string> = new Set();

  constructor(
    private readonly options: ChaosOptions,
    private readonly installation: Installation,
    private readonly source: string,
    private readonly say: (line: string) => void,
  ) {
    this.random = new Random(options.seed);
    this.client = new Client(installation);
    // The time is in it so that two runs on one installation do not meet.
    this.runId = `chaos-${options.seed.replaceAll(/[^a-zA-Z0-9]/g, '')}-${this.startedAtMs.toString(36)}`;
    this.keyPattern = new RegExp(`${this.runId}-\\d+`);
    this.moments.setMaxListeners(0);
  }

  /** Undefined when it was interrupted: nothing is stopped any more, and nothing was compared. */
  async run(interruption: AbortSignal): Promise<ChaosResult | undefined> {
    const { engine, instanceId } = this.installation;
    this.before = new Set((await engine.containers(instanceId)).map(({ Id }) => Id));
    for (let number = 1; number <= SANDBOXES; number++) {
      const sandboxId = await openSandbox(this.client, `${this.runId}-${number}`);
      this.disks.set(sandboxId, await findDisk(this.installation, sandboxId));
    }
    const { client, source, runId, moments, disks } = this;
    const sandboxIds = [...disks.keys()];
    const { inFlight } = this.options;
    const traffic = new Traffic(
      { client, source, runId, sandboxIds, moments, inFlight },
      this.random.fork('traffic'),
    );
    const landing = new AbortController();
    interruption.addEventListener('abort', () => landing.abort());
    const flying = traffic.run(landing.signal);
    const { judgesReads } = this.options;
    // The first reads of an installation that has just been started say nothing about it.
    if (judgesReads) await pause(SETTLE_MS, interruption);
    const watch = new ApiWatch(client);
    const watched = new AbortController();
    const watching = watch.run(watched.signal);
    await pause(judgesReads ? CALM_MS : WARM_UP_MS, interruption);
    const assault = this.planAssault(traffic);
    await Promise.race([assault.run(landing.signal), flying]);
    await assault.healAll();
    const healedAtMs = Date.now();
    if (judgesReads) await Promise.race([pause(BACK_WITHIN_MS + CALM_MS, interruption), flying]);
    const landedAtMs = Date.now();
    landing.abort();
    const settling = this.settle(traffic, flying, assault);
    const violations = await Promise.race([settling, interrupted(interruption)]);
    watched.abort();
    await watching;
    if (violations === undefined) return undefined;
    return summarise({
      seed: this.options.seed,
      startedAtMs: this.startedAtMs,
      endedAtMs: Date.now(),
      injuries: assault.injuries,
      flights: traffic.flights,
      disks,
      violations,
      readTimes: watch.times(assault.injuries, { healedAtMs, landedAtMs }),
      judgesReads,
    });
  }

  private planAssault(traffic: Traffic): Assault {
    const harm = new Harm(
      this.installation,
      new Set(this.disks.keys()),
      this.keyPattern,
      this.random.fork('harm'),
    );
    const { kills, minutes } = this.options;
    return new Assault(harm, this.moments, this.random.fork('assault'), {
      kills,
      deadlineMs: minutes === undefined ? NEVER_MS : this.startedAtMs + minutes * 60_000,
      gapMsMax: GAP_MS_MAX,
      targets: this.chooseTargets(harm),
      isBack: () => this.installation.isBack(),
      onInjury: (injury) => this.tell(injury, traffic),
    });
  }

  private chooseTargets(harm: Harm): Target[] {
    const { only } = this.options;
    const unknown = only?.find((name) => !TARGETS.some((target) => target === name));
    if (unknown !== undefined) throw new UsageError(`--only knows ${TARGETS.join(', ')}, not "${unknown}".`);
    const possible = harm.targets;
    const chosen = TARGETS.filter((target) => possible.includes(target) && (only?.includes(target) ?? true));
    const missing = TARGETS.filter((target) => !possible.includes(target));
    if (missing.length > 0) this.say(`Not ours to kill here: ${missing.join(', ')}.`);
    if (chosen.length === 0) throw new UsageError('Nothing of what --only names can be killed here.');
    return chosen;
  }

  private tell(injury: Injury, traffic: Traffic): void {
    const found = traffic.flights.flatMap(({ program, violations, readings }) =>
      [...violations, ...readings.misreadings].map(
        ({ kind, detail }) => `${program.key}: ${kind}: ${detail}`,
      ),
    );
    const seen = `${traffic.inFlight} in flight, ${traffic.ended} ended, ${found.length} violations so far`;
    for (const one of found.filter((text) => !this.told.has(text))) {
      this.told.add(one);
      this.say(`  VIOLATION ${one}`);
    }
    this.say(`${describeInjury({ ...injury, untilMs: undefined }, this.startedAtMs)} · ${seen}`);
  }

  /** Nothing is killed any more: everything ends, is looked at again, and leaves nothing behind. */
  private async settle(traffic: Traffic, flying: Promise<void>, assault: Assault): Promise<Violation[]> {
    this.say(`${traffic.inFlight} execs are still in flight; waiting for their ends.`);
    const whole = (kind: Violation['kind'], detail: string): Violation => ({
      kind,
      key: undefined,
      execId: undefined,
      detail,
    });
    const violations = assault.problems.map((problem) => whole('recovery', problem));
    await flying;
    const isReady = await until(() => this.installation.isReady(), READY_WITHIN_MS, READY_LOOK_MS);
    if (!isReady)
      return [...violations, whole('recovery', `/health/ready is not 200 after ${READY_WITHIN_MS / 1000} s`)];
    this.say(`${traffic.flights.length} execs; comparing.`);
    const { client, disks, installation, keyPattern, before } = this;
    violations.push(...(await auditAll(traffic.flights, { client, disks, injuries: assault.injuries })));
    this.say('Looking for what was left behind.');
    const leaks = await findLeaks({ installation, before, disks, keyPattern });
    return [...violations, ...leaks.map((leak) => whole('leak', leak))];
  }
}
