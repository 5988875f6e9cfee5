import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import type { ComponentDescription } from './component.js';
import { endProcess } from './ending.js';
import { openLog, rotateLog, tailOfLog } from './log-file.js';
import { pause, pollUntil } from './pause.js';
import { describePortHolder, isHeldByAnother } from './ports.js';
import { identify, isAlive, type ProcessIdentity } from './process-identity.js';
import { RestartPolicy } from './restart-policy.js';
import type { ProcessRecord } from './run-file.js';
import { errorText, SetupInterrupted } from './setup-problem.js';

const PROBE_INTERVAL_MS = 50;
/** A process that is not our child gives no exit event, so its death is seen by looking. */
const ADOPTED_LOOK_INTERVAL_MS = 200;
const FIRST_START_ATTEMPTS_MIN = 3;
/** What an unclean end has left (a server process that finishes its last query, say) may be in the way for a moment. */
const FIRST_START_PATIENCE_MS = 5_000;
const TAIL_LINES = 12;

export interface SupervisedProcessEvents {
  readonly onProcess: (record: ProcessRecord | undefined) => void;
  readonly say: (text: string) => void;
}

interface Incarnation {
  readonly identity: ProcessIdentity;
  readonly startedAt: number;
  /** Resolves when the process is gone. */
  readonly gone: Promise<string>;
}

/** One component of ours: started or adopted, watched, started again when it dies, and ended on request. */
export class SupervisedProcess {
  private readonly policy = new RestartPolicy();
  private readonly stopping = new AbortController();
  private current: Incarnation | undefined;
  private starting: Promise<void> = Promise.resolve();
  private watching: Promise<void> = Promise.resolve();

  constructor(
    readonly description: ComponentDescription,
    private readonly logPath: string,
    private readonly events: SupervisedProcessEvents,
  ) {}

  /** Starts the component and waits until it answers. An early death is tried again a few times, then it is an error. */
  async start(signal: AbortSignal): Promise<void> {
    this.starting = this.tryToStart(AbortSignal.any([signal, this.stopping.signal]));
    await this.starting;
  }

  /** Takes over a living process that an earlier supervisor has started. */
  async adopt(record: ProcessRecord, signal: AbortSignal): Promise<boolean> {
    const incarnation: Incarnation = {
      identity: record,
      startedAt: Date.now(),
      gone: this.watchAdopted(record),
    };
    const failure = await this.waitUntilReady(incarnation, signal);
    if (failure !== undefined) {
      this.events.say(`process ${record.pid} of an earlier start does not answer and is ended (${failure})`);
      await this.end(incarnation);
      return false;
    }
    this.publish(incarnation);
    this.watching = this.watch(incarnation);
    return true;
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    // The component may be starting (again) at this moment; only after that nothing new appears.
    await Promise.allSettled([this.starting]);
    await this.watching;
    if (this.current !== undefined) await this.end(this.current);
    this.events.onProcess(undefined);
  }

  /** Leaves the process running and only forgets it. */
  async detach(): Promise<void> {
    this.stopping.abort();
    await this.watching;
  }

  private async tryToStart(signal: AbortSignal): Promise<void> {
    const patienceEndsAt = Date.now() + FIRST_START_PATIENCE_MS;
    for (let attempt = 1; ; attempt++) {
      const incarnation = await this.spawn();
      const failure = await this.waitUntilReady(incarnation, signal);
      if (failure === undefined) {
        this.watching = this.watch(incarnation);
        return;
      }
      await this.end(incarnation);
      this.events.onProcess(undefined);
      if (attempt >= FIRST_START_ATTEMPTS_MIN && Date.now() > patienceEndsAt)
        throw new Error(this.describeFailure(failure));
      await pause(this.policy.onDeath(0).delayMs, signal);
    }
  }

  private async spawn(): Promise<Incarnation> {
    await this.description.prepare?.();
    if (this.stopping.signal.aborted) throw new SetupInterrupted();
    rotateLog(this.logPath);
    const { command, env, cwd } = this.description;
    const log = openLog(this.logPath);
    let child: ChildProcess;
    try {
      // A session of its own: Ctrl+C in the terminal reaches the supervisor alone, which ends the components in order.
      child = spawn(command[0], command.slice(1), { cwd, env, detached: true, stdio: ['ignore', log, log] });
    } finally {
      closeSync(log);
    }
    const gone = once(child, 'exit').then(
      ([code, signal]) => (signal === null ? `exit code ${String(code)}` : String(signal)),
      (error: unknown) => `it could not be run: ${errorText(error)}`,
    );
    child.unref();
    const identity = child.pid === undefined ? undefined : identify(child.pid, command.join(' '));
    if (identity === undefined) throw new Error(`${command[0]} did not start: ${await gone}`);
    const incarnation: Incarnation = { identity, startedAt: Date.now(), gone };
    this.publish(incarnation);
    return incarnation;
  }

  private publish(incarnation: Incarnation): void {
    this.current = incarnation;
    const { pid, startTime, command } = incarnation.identity;
    const { port } = this.description;
    this.events.onProcess({ pid, startTime, command, ...(port === undefined ? {} : { port }) });
  }

  /** Returns why the component did not become ready, or nothing. */
  private async waitUntilReady(incarnation: Incarnation, signal: AbortSignal): Promise<string | undefined> {
    let ended: string | undefined;
    let lastAnswer = 'no answer yet';
    void incarnation.gone.then((how) => (ended = how));
    const look = async (): Promise<boolean> => {
      if (ended !== undefined || this.findIntruder(incarnation) !== undefined) return true;
      try {
        await this.description.probe();
        return this.findIntruder(incarnation) === undefined;
      } catch (error) {
        lastAnswer = errorText(error);
        return false;
      }
    };
    const { readyTimeoutMs } = this.description;
    const isDecided = await pollUntil(look, {
      timeoutMs: readyTimeoutMs,
      intervalMs: PROBE_INTERVAL_MS,
      signal,
    });
    if (ended !== undefined) return ended;
    const intruder = this.findIntruder(incarnation);
    if (intruder !== undefined) return intruder;
    return isDecided ? undefined : `not ready after ${readyTimeoutMs / 1000} s: ${lastAnswer}`;
  }

  /** Somebody else on the component's port would be taken for the component: its answers must not count. */
  private findIntruder({ identity }: Incarnation): string | undefined {
    const { port } = this.description;
    if (port === undefined || !isHeldByAnother(port, identity.pid)) return undefined;
    return `port ${port} is held by ${describePortHolder(port)}`;
  }

  private async watch(first: Incarnation): Promise<void> {
    let incarnation = first;
    const { signal } = this.stopping;
    while (!signal.aborted) {
      const how = await Promise.race([incarnation.gone, aborted(signal)]);
      if (how === undefined || signal.aborted) return;
      const decision = this.policy.onDeath(Date.now() - incarnation.startedAt);
      this.events.onProcess(undefined);
      const when = decision.delayMs === 0 ? 'now' : `in ${decision.delayMs / 1000} s`;
      this.events.say(`process ${incarnation.identity.pid} ended (${how}); it is started again ${when}`);
      if (decision.isLoud) this.events.say(this.describeFailure('it keeps dying'));
      incarnation = await this.restart(decision.delayMs, incarnation, signal);
    }
  }

  private async restart(delayMs: number, previous: Incarnation, signal: AbortSignal): Promise<Incarnation> {
    try {
      await pause(delayMs, signal);
      const incarnation = await this.spawn();
      const failure = await this.waitUntilReady(incarnation, signal);
      if (failure === undefined) this.events.say(`runs again as process ${incarnation.identity.pid}`);
      else if (isAlive(incarnation.identity)) await this.end(incarnation);
      return incarnation;
    } catch (error) {
      if (error instanceof SetupInterrupted) return this.current ?? previous;
      return { ...previous, startedAt: Date.now(), gone: Promise.resolve(errorText(error)) };
    }
  }

  private async watchAdopted(record: ProcessRecord): Promise<string> {
    const { signal } = this.stopping;
    while (!signal.aborted && isAlive(record)) {
      await pause(ADOPTED_LOOK_INTERVAL_MS, signal).catch((error: unknown) => {
        if (!(error instanceof SetupInterrupted)) throw error;
      });
    }
    return 'how is unknown, as it was adopted';
  }

  private async end(incarnation: Incarnation): Promise<void> {
    const { name, stopSignal, stopTimeoutMs } = this.description;
    const ending = await endProcess(incarnation.identity, stopSignal, stopTimeoutMs);
    if (ending === 'killed') {
      this.events.say(`${name} did not end within ${stopTimeoutMs / 1000} s of ${stopSignal} and was killed`);
    }
  }

  private describeFailure(reason: string): string {
    const tail = tailOfLog(this.logPath, TAIL_LINES).map((line) => `    ${line}`);
    return [`${this.description.name}: ${reason}. The last lines of ${this.logPath}:`, ...tail].join('\n');
  }
}

async function aborted(signal: AbortSignal): Promise<undefined> {
  if (!signal.aborted) await once(signal, 'abort');
  return undefined;
}
