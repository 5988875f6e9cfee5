import { join } from 'node:path';
import type { ComponentDescription } from './component.js';
import { rotateLog } from './log-file.js';
import { isAlive } from './process-identity.js';
import type { Reporter, StepVerb } from './reporter.js';
import { COMPONENT_NAMES, type ComponentName, type ProcessRecord, type RunFile } from './run-file.js';
import { SupervisedProcess } from './supervised-process.js';

const LOG_LOOK_INTERVAL_MS = 60_000;

/** Owns the components of one instance and keeps run.json true. */
export class Supervisor {
  private readonly components = new Map<ComponentName, SupervisedProcess>();
  private readonly logWatch: NodeJS.Timeout;

  constructor(
    private readonly runFile: RunFile,
    private readonly logDirectory: string,
    private readonly reporter: Reporter,
    /** What an earlier supervisor has left behind. */
    private readonly leftovers: Readonly<Partial<Record<ComponentName, ProcessRecord>>>,
  ) {
    this.logWatch = setInterval(() => this.rotateLogs(), LOG_LOOK_INTERVAL_MS);
  }

  /** The record of a living process of an earlier start that may be adopted, so that its port can be kept. */
  leftover(name: ComponentName): ProcessRecord | undefined {
    const record = this.leftovers[name];
    return record !== undefined && isAlive(record) ? record : undefined;
  }

  async bringUp(description: ComponentDescription, signal: AbortSignal): Promise<StepVerb> {
    const { name } = description;
    const component = new SupervisedProcess(description, this.logPath(name), {
      onProcess: (record) => this.runFile.setProcess(name, record),
      say: (text) => this.reporter.note(name, text),
    });
    this.components.set(name, component);
    const leftover = this.leftover(name);
    if (leftover !== undefined && (await component.adopt(leftover, signal))) return 'adopted';
    await component.start(signal);
    return 'started';
  }

  /** Ends the named components, the last started first. What is not named and still runs is left running. */
  async stop(names: readonly ComponentName[]): Promise<void> {
    clearInterval(this.logWatch);
    for (const name of COMPONENT_NAMES.toReversed()) {
      const component = this.components.get(name);
      if (component === undefined) continue;
      if (!names.includes(name)) {
        await component.detach();
        continue;
      }
      await component.stop();
      this.reporter.note(name, 'ended');
    }
  }

  logPath(name: string): string {
    return join(this.logDirectory, `${name}.log`);
  }

  private rotateLogs(): void {
    for (const name of this.components.keys()) rotateLog(this.logPath(name));
  }
}
