import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** What the benchmark needs to know of the installation that it measures. */
export interface RunningInstance {
  readonly apiUrl: string;
  readonly adminSecret: string;
  readonly dockerHost: string;
  readonly databaseUrl: string;
  readonly temporalAddress: string;
  readonly temporalUiUrl: string;
  readonly pids: { readonly api: number; readonly worker: number; readonly postgres: number };
}

/** Reads what `npm start` has written into its state folder. */
export function readRunningInstance(stateDirectory: string): RunningInstance {
  const run = readJson(path.join(stateDirectory, 'run.json'));
  const secrets = readJson(path.join(stateDirectory, 'secrets.json'));
  return {
    apiUrl: textOf(run, 'apiUrl'),
    adminSecret: textOf(secrets, 'adminSecret'),
    dockerHost: textOf(run, 'dockerHost'),
    databaseUrl: textOf(run, 'databaseUrl'),
    temporalAddress: textOf(run, 'temporalAddress'),
    temporalUiUrl: textOf(run, 'temporalUiUrl'),
    pids: { api: pidOf(run, 'api'), worker: pidOf(run, 'worker'), postgres: pidOf(run, 'postgres') },
  };
}

function readJson(file: string): Record<string, unknown> {
  if (!existsSync(file)) throw new Error(`${file} is not there. Start Berth with \`npm start\` first.`);
  return JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
}

function textOf(values: Record<string, unknown>, name: string): string {
  const value = values[name];
  if (typeof value !== 'string') throw new Error(`The state folder names no ${name}. Is Berth running?`);
  return value;
}

function pidOf(run: Record<string, unknown>, name: string): number {
  const processes = run['processes'] as Record<string, { pid?: number } | undefined> | undefined;
  const pid = processes?.[name]?.pid;
  if (pid === undefined) throw new Error(`The state folder names no process ${name}. Is Berth running?`);
  return pid;
}
