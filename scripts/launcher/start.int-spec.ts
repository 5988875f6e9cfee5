import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pollUntil } from './pause.js';
import { isAlive } from './process-identity.js';
import { isFree } from './ports.js';
import { probeHttp } from './probes.js';
import { livingSupervisor, readRunFile, type ProcessRecord, type RunState } from './run-file.js';
import { layOutState } from './state-directory.js';
import { unmountBelow } from './unmount.js';

const ROOT = resolve(import.meta.dirname, '../..');
const START_TIMEOUT_MS = 90_000;
/** When a test gives up. */
const RESTART_LIMIT_MS = 60_000;
const TEST_TIMEOUT_MS = 240_000;
const OURS = ['postgres', 'temporal', 'minio'] as const;

describe('npm start', () => {
  const parent = mkdtempSync(join(tmpdir(), 'berth-start-'));
  const state = layOutState('state', parent);
  let portBase = 28_000;

  beforeAll(async () => {
    while (!(await isFree('127.0.0.1', portBase))) portBase += 10;
  });

  afterAll(async () => {
    await finished(command('stop', ['--all']));
    await unmountBelow(parent);
    rmSync(parent, { recursive: true });
  });

  it(
    'brings the components up beside a busy port, names its holder, and restarts what dies',
    async () => {
      const busy = createServer().listen(portBase, '127.0.0.1');
      await once(busy, 'listening');
      const { output } = await started();
      busy.close();
      expect(output()).toContain(`Port ${portBase}`);
      expect(output()).toContain(`is held by process ${process.pid} (`);
      for (const name of OURS) await expectRestart(name);
      const { s3Endpoint } = current();
      expect(await pollUntil(() => answers(`${s3Endpoint}/minio/health/live`), LIMITS)).toBe(true);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'says that it runs already when it is called a second time, and changes nothing',
    async () => {
      const before = current();
      const second = await finished(start());
      expect(second.code).toBe(0);
      expect(second.output).toContain(
        `already running in ${state.root} (process ${before.supervisor.pid}, ready)`,
      );
      expect(current()).toEqual(before);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'adopts what a killed supervisor has left behind',
    async () => {
      const before = current();
      process.kill(before.supervisor.pid, 'SIGKILL');
      const { output } = await started();
      for (const name of OURS) expect(current().processes[name]).toEqual(before.processes[name]);
      expect(output()).toMatch(/postgres +adopted/);
      expect(output()).toMatch(/temporal +adopted/);
      await expectRestart('postgres');
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'ends everything in order on SIGINT',
    async () => {
      const before = current();
      process.kill(before.supervisor.pid, 'SIGINT');
      expect(await pollUntil(() => !isAlive(before.supervisor), LIMITS)).toBe(true);
      for (const name of OURS) expect(isAlive(recordOf(name, before))).toBe(false);
      expect(current()).toMatchObject({ phase: 'stopped', processes: {} });
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'comes up again over the lock file of a server that was killed, whose pid another process has by now',
    async () => {
      await started();
      const before = current();
      for (const record of [before.supervisor, recordOf('postgres', before)])
        process.kill(record.pid, 'SIGKILL');
      const lock = join(state.root, 'postgres/postmaster.pid');
      const lines = readFileSync(lock, 'utf8').split('\n');
      writeFileSync(lock, [String(process.pid), ...lines.slice(1)].join('\n'));
      await started();
      expect(isAlive(recordOf('postgres', current()))).toBe(true);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'is ended by npm run stop even when its supervisor is dead',
    async () => {
      const before = current();
      process.kill(before.supervisor.pid, 'SIGKILL');
      const stopped = await finished(command('stop'));
      expect(stopped.code).toBe(0);
      for (const name of OURS) expect(isAlive(recordOf(name, before))).toBe(false);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'says in one message what is missing, and leaves nothing running',
    async () => {
      const failed = await finished(start({ DOCKER_HOST: `unix://${parent}/nothing.sock` }));
      expect(failed.code).toBe(1);
      expect(failed.output).toContain('No Docker engine answers at DOCKER_HOST');
      expect(failed.output).toContain('Fix: start that engine');
      expect(current()).toMatchObject({ phase: 'stopped', processes: {} });
    },
    TEST_TIMEOUT_MS,
  );

  const LIMITS = { timeoutMs: 90_000, intervalMs: 20 };

  function start(environment: NodeJS.ProcessEnv = {}): ChildProcess {
    return command('start', ['--only', 'infra', '--port-base', String(portBase)], environment);
  }

  function command(name: string, args: string[] = [], environment: NodeJS.ProcessEnv = {}): ChildProcess {
    return spawn(process.execPath, [join(ROOT, `scripts/${name}.mjs`), '--state-dir', state.root, ...args], {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  async function finished(child: ChildProcess): Promise<{ code: number; output: string }> {
    const output = collect(child);
    const [code] = (await once(child, 'close')) as [number];
    return { code, output: output() };
  }

  /** Starts an instance that stays, and waits until it is ready. */
  async function started(): Promise<{ output: () => string }> {
    const child = start();
    const output = collect(child);
    const isReady = (): boolean => {
      if (child.exitCode !== null) throw new Error(`npm start ended with ${child.exitCode}:\n${output()}`);
      const run = readRunFile(state.runFile);
      return run?.phase === 'ready' && livingSupervisor(run)?.pid === child.pid;
    };
    const inTime = await pollUntil(isReady, { timeoutMs: START_TIMEOUT_MS, intervalMs: 50 });
    if (!inTime) throw new Error(`npm start is not ready:\n${output()}`);
    return { output };
  }

  function collect(child: ChildProcess): () => string {
    let text = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    }
    return () => text;
  }

  function current(): RunState {
    const run = readRunFile(state.runFile);
    if (run === undefined) throw new Error('there is no run.json');
    return run;
  }

  function recordOf(name: (typeof OURS)[number], run: RunState): ProcessRecord {
    const record = run.processes[name];
    if (record === undefined) throw new Error(`run.json names no ${name}`);
    return record;
  }

  async function expectRestart(name: (typeof OURS)[number]): Promise<void> {
    const old = recordOf(name, current());
    process.kill(old.pid, 'SIGKILL');
    const isReplaced = (): boolean => (current().processes[name]?.pid ?? old.pid) !== old.pid;
    expect(await pollUntil(isReplaced, { timeoutMs: RESTART_LIMIT_MS, intervalMs: 10 })).toBe(true);
  }

  async function answers(url: string): Promise<boolean> {
    return probeHttp(url).then(
      () => true,
      () => false,
    );
  }
});
