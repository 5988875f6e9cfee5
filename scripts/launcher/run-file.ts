import { readFileSync, rmSync } from 'node:fs';
import { writeFileAtomically } from './atomic-file.js';
import { isAlive, type ProcessIdentity } from './process-identity.js';
import { hasCode } from './setup-problem.js';

export const RUN_FILE_VERSION = 1;

/** In the order in which they start; they end in the reverse order. */
export const COMPONENT_NAMES = [
  'containerd',
  'dockerd',
  'postgres',
  'temporal',
  'minio',
  'worker',
  'api',
] as const;
export type ComponentName = (typeof COMPONENT_NAMES)[number];

export interface ProcessRecord extends ProcessIdentity {
  readonly port?: number;
}

export type RunPhase = 'starting' | 'ready' | 'stopping' | 'stopped';

/** The content of run.json: what runs, where it answers, and how each process is known again. It holds no secrets. */
export interface RunState {
  readonly version: number;
  readonly phase: RunPhase;
  readonly supervisor: ProcessIdentity;
  readonly stateDirectory: string;
  readonly instanceId: string;
  readonly apiUrl?: string;
  readonly temporalAddress?: string;
  readonly temporalUiUrl?: string;
  readonly s3Endpoint?: string;
  /** Without a password. */
  readonly databaseUrl?: string;
  readonly dockerHost?: string;
  readonly processes: Readonly<Partial<Record<ComponentName, ProcessRecord>>>;
}

/** The run file of a supervisor: each change is on disk before the call returns. */
export class RunFile {
  constructor(
    private readonly path: string,
    private state: RunState,
  ) {
    this.write();
  }

  get current(): RunState {
    return this.state;
  }

  update(change: Partial<Omit<RunState, 'version' | 'processes'>>): void {
    this.state = { ...this.state, ...change };
    this.write();
  }

  setProcess(name: ComponentName, record: ProcessRecord | undefined): void {
    const { [name]: _, ...others } = this.state.processes;
    this.state = { ...this.state, processes: record === undefined ? others : { ...others, [name]: record } };
    this.write();
  }

  remove(): void {
    rmSync(this.path, { force: true });
  }

  private write(): void {
    writeFileAtomically(this.path, `${JSON.stringify(this.state, null, 2)}\n`, 0o600);
  }
}

/** Reads a run file that some supervisor has left or is writing. A file of another version says nothing to us. */
export function readRunFile(path: string): RunState | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
  return parseRunState(text);
}

export function parseRunState(text: string): RunState | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isRecord(value) || value['version'] !== RUN_FILE_VERSION) return undefined;
  if (!isIdentity(value['supervisor']) || !isRecord(value['processes'])) return undefined;
  if (!Object.values(value['processes']).every(isIdentity)) return undefined;
  return value as unknown as RunState;
}

export function livingSupervisor(state: RunState | undefined): ProcessIdentity | undefined {
  return state !== undefined && isAlive(state.supervisor) ? state.supervisor : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isIdentity(value: unknown): value is ProcessIdentity {
  if (!isRecord(value)) return false;
  const { pid, startTime, command } = value;
  return (
    Number.isSafeInteger(pid) &&
    Number(pid) > 1 &&
    typeof startTime === 'string' &&
    typeof command === 'string'
  );
}
