import type { Installation } from './installation.js';
import { EngineError } from './engine.js';
import { Cuts } from './cuts.js';
import { initsOf } from './inits.js';
import type { Mode, Target } from './injury.js';
import { pause, until } from './pause.js';
import { cutPower } from './power.js';
import { allProcesses, descendantsOf, send, startTimeOf, type SeenProcess } from './processes.js';
import type { Random } from './random.js';

const STOP_MS_MIN = 500;
const STOP_MS_MAX = 30_000;
const HEAL_TIMEOUT_MS = 90_000;
const HEAL_INTERVAL_MS = 500;
/** The rest of the killed containers is left to whoever needs the sandbox next. */
const DOCKER_START_CHANCE = 0.5;
const DOCKER_START_MS_MAX = 3_000;
const BACKEND_CHANCE = 0.25;
const SUPERVISE_COMMAND = 'runner supervise';
const FORKING: readonly Target[] = ['postgres'];

/** What was done, and how it is undone. */
export interface Harmed {
  readonly sandboxId?: string;
  readonly execKey?: string;
  readonly detail: string;
  /** Resolves when it is healed. */
  readonly healed: Promise<void>;
}

interface Frozen {
  readonly pid: number;
  readonly startTime: string | undefined;
}

/** Kills and stops parts of one installation, and nothing else: processes of its run.json and those in its sandboxes. */
export class Harm {
  private readonly cuts: Cuts;

  constructor(
    private readonly installation: Installation,
    private readonly sandboxIds: ReadonlySet<string>,
    private readonly keyPattern: RegExp,
    private readonly random: Random,
  ) {
    this.cuts = Cuts.open(installation);
  }

  get targets(): Target[] {
    const processes = this.installation.components as Target[];
    const whole: Target[] = this.installation.isOwn ? ['machine'] : [];
    return [...processes, 'init', 'container', 'supervisor', ...this.cuts.targets, ...whole];
  }

  /** What can be done to a target: a line is cut, a machine loses its power, all else is killed or stopped. */
  modeFor(target: Target, wanted: 'kill' | 'stop'): Mode {
    if (this.cuts.targets.includes(target)) return 'cut';
    return target === 'machine' ? 'kill' : wanted;
  }

  /** Undefined where there is nothing to hurt at this moment. */
  async do(target: Target, mode: Mode, quick: AbortSignal): Promise<Harmed | undefined> {
    switch (target) {
      case 'init':
        return this.hurtInit(mode, quick);
      case 'container':
        return await this.hurtContainer(mode, quick);
      case 'supervisor':
        return this.hurtSupervisor(mode, quick);
      case 'machine':
        return this.hurtMachine();
      default:
        if (mode === 'cut') return this.cuts.begin(target, this.stopMs(), quick);
        return this.hurtProcess(target, mode, quick);
    }
  }

  private hurtProcess(target: Target, mode: Mode, quick: AbortSignal): Harmed | undefined {
    const pid = this.installation.pidOf(target);
    if (pid === undefined) return undefined;
    const below = FORKING.includes(target) ? descendantsOf(pid) : [];
    if (mode === 'stop') return this.freeze([pid, ...below.map((one) => one.pid)], `process ${pid}`, quick);
    const backends = below.filter(({ command }) => command.includes('berth'));
    if (backends.length > 0 && this.random.chance(BACKEND_CHANCE)) {
      const backend = this.random.pick(backends);
      return send(backend.pid, 'SIGKILL') ? done(`only the backend ${backend.pid}`) : undefined;
    }
    return send(pid, 'SIGKILL') ? done(`process ${pid}`) : undefined;
  }

  private hurtMachine(): Harmed {
    const count = cutPower(this.installation);
    return { detail: `${count} processes, then npm start`, healed: this.installation.startAgain() };
  }

  private hurtInit(mode: Mode, quick: AbortSignal): Harmed | undefined {
    const inits = this.inits();
    if (inits.length === 0) return undefined;
    const { pid, sandboxId } = this.random.pick(inits);
    if (mode === 'stop') return { ...this.freeze([pid], `process ${pid}`, quick), sandboxId };
    const restart = this.planDockerStart();
    if (!send(pid, 'SIGKILL')) return undefined;
    return {
      sandboxId,
      detail: `process ${pid}${restart.text}`,
      healed: restart.after(() => this.startContainer(sandboxId)),
    };
  }

  private async hurtContainer(mode: Mode, quick: AbortSignal): Promise<Harmed | undefined> {
    const { engine, instanceId } = this.installation;
    const running = (await engine.containers(instanceId).catch(() => [])).filter(
      ({ State, Labels }) => State === 'running' && this.sandboxIds.has(Labels['berth.sandbox'] ?? ''),
    );
    if (running.length === 0) return undefined;
    const { Id, Labels } = this.random.pick(running);
    const sandboxId = Labels['berth.sandbox'] ?? '';
    const detail = `container ${Id.slice(0, 12)}`;
    const restart = this.planDockerStart();
    try {
      await engine.act(Id, mode === 'stop' ? 'pause' : 'kill');
    } catch {
      // The engine is being hurt, too, or the container has just gone.
      return undefined;
    }
    if (mode === 'kill') {
      return {
        sandboxId,
        detail: `${detail}${restart.text}`,
        healed: restart.after(() => this.startContainer(sandboxId)),
      };
    }
    return { sandboxId, detail, healed: this.unpauseLater(Id, quick) };
  }

  private async unpauseLater(id: string, quick: AbortSignal): Promise<void> {
    await pause(this.stopMs(), quick);
    await this.insist(`unpause ${id}`, () => this.installation.engine.act(id, 'unpause'));
  }

  private hurtSupervisor(mode: Mode, quick: AbortSignal): Harmed | undefined {
    const all = allProcesses();
    const inits = new Map(this.inits().map(({ pid, sandboxId }) => [pid, sandboxId]));
    const busy = all.filter(
      ({ parent, command, pid }) =>
        inits.has(parent) && command === SUPERVISE_COMMAND && descendantsOf(pid, all).length > 0,
    );
    if (busy.length === 0) return undefined;
    const { pid, parent } = this.random.pick(busy);
    const execKey = this.keyOf(descendantsOf(pid, all));
    const sandboxId = inits.get(parent);
    if (execKey === undefined || sandboxId === undefined) return undefined;
    const detail = `process ${pid} of ${execKey}`;
    if (mode === 'stop') return { ...this.freeze([pid], detail, quick), sandboxId, execKey };
    return send(pid, 'SIGKILL') ? { ...done(detail), sandboxId, execKey } : undefined;
  }

  private keyOf(processes: readonly SeenProcess[]): string | undefined {
    return processes
      .map(({ command }) => this.keyPattern.exec(command)?.[0])
      .find((key) => key !== undefined);
  }

  /** The init processes of our sandboxes; they are found without the engine, which may be dead. */
  private inits(): { pid: number; sandboxId: string }[] {
    return [...initsOf(this.sandboxIds)].flatMap(([sandboxId, pids]) =>
      pids.map((pid) => ({ pid, sandboxId })),
    );
  }

  private freeze(pids: readonly number[], detail: string, quick: AbortSignal): Harmed {
    const frozen: Frozen[] = pids.map((pid) => ({ pid, startTime: startTimeOf(pid) }));
    for (const { pid } of frozen) send(pid, 'SIGSTOP');
    const thaw = async (): Promise<void> => {
      await pause(this.stopMs(), quick);
      for (const { pid, startTime } of frozen.toReversed()) {
        if (startTime !== undefined && startTimeOf(pid) === startTime) send(pid, 'SIGCONT');
      }
    };
    return { detail, healed: thaw() };
  }

  /** Short ones are more frequent than long ones. */
  private stopMs(): number {
    return Math.round(STOP_MS_MIN + (STOP_MS_MAX - STOP_MS_MIN) * this.random.unit() ** 4);
  }

  private planDockerStart(): { text: string; after: (start: () => Promise<void>) => Promise<void> } {
    const isPlanned = this.random.chance(DOCKER_START_CHANCE);
    const delayMs = this.random.integer(0, DOCKER_START_MS_MAX);
    if (!isPlanned) return { text: ', left as it is', after: () => Promise.resolve() };
    return {
      text: `, docker start after ${delayMs} ms`,
      after: async (start) => {
        await pause(delayMs);
        await start();
      },
    };
  }

  private async startContainer(sandboxId: string): Promise<void> {
    const { engine, instanceId } = this.installation;
    await this.insist(`start the container of ${sandboxId}`, async () => {
      const found = await engine.containers(instanceId);
      const own = found.find(
        ({ Labels }) => Labels['berth.sandbox'] === sandboxId && Labels['berth.generation'] !== undefined,
      );
      if (own !== undefined) await engine.act(own.Id, 'start');
    });
  }

  /** 404 and 409: Berth was first, and there is nothing left to heal. */
  private async insist(what: string, work: () => Promise<void>): Promise<void> {
    const isDone = await until(
      async () => {
        try {
          await work();
          return true;
        } catch (error) {
          return error instanceof EngineError && [404, 409].includes(error.status);
        }
      },
      HEAL_TIMEOUT_MS,
      HEAL_INTERVAL_MS,
    );
    if (!isDone) throw new Error(`The engine did not ${what} within ${HEAL_TIMEOUT_MS / 1000} s.`);
  }
}

const done = (detail: string): Harmed => ({ detail, healed: Promise.resolve() });
