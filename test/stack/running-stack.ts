import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What the launcher writes about a running stack; see scripts/launcher. */
export interface RunningStack {
  readonly stateDir: string;
  readonly apiUrl: string;
  readonly databaseUrl: string;
  readonly temporalAddress: string;
  readonly s3Endpoint: string;
  readonly dockerHost: string;
  readonly processes: Readonly<Record<string, { readonly pid: number } | undefined>>;
}

/** The state folder of the stack that the test run has started. Integration and end-to-end tests fail without one. */
export function testStateDir(): string {
  const stateDir = process.env['BERTH_TEST_STATE_DIR'];
  if (!stateDir) throw new Error('BERTH_TEST_STATE_DIR is not set: run these tests with `npm test`.');
  return stateDir;
}

/** Read again at each call: the file follows every restart of a process. */
export function runningStack(): RunningStack {
  const stateDir = testStateDir();
  return { stateDir, ...(readJson(join(stateDir, 'run.json')) as Omit<RunningStack, 'stateDir'>) };
}

export function stackSecrets(): {
  readonly adminSecret: string;
  readonly s3AccessKey: string;
  readonly s3SecretKey: string;
} {
  return readJson(join(testStateDir(), 'secrets.json')) as ReturnType<typeof stackSecrets>;
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'));
}
