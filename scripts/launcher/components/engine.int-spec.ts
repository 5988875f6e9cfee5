import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureShellLessImages, SHELL_LESS_IMAGE } from '../../../test/stack/images.js';
import { parseStartArguments } from '../arguments.js';
import { Cache } from '../cache.js';
import type { LaunchContext } from '../context.js';
import { engineClient } from '../engine-client.js';
import { findExecutable } from '../executables.js';
import { pollUntil } from '../pause.js';
import { PortChooser } from '../ports.js';
import { Reporter } from '../reporter.js';
import { RUN_FILE_VERSION, RunFile, type ProcessRecord } from '../run-file.js';
import { stopContainers } from '../sandbox-containers.js';
import { layOutState, prepareState } from '../state-directory.js';
import { Supervisor } from '../supervisor.js';
import { unmountBelow } from '../unmount.js';
import { engineFiles } from './engine-files.js';
import { startOwnEngine } from './engine.js';

const TEST_TIMEOUT_MS = 180_000;
/** When a test gives up. */
const RESTART_LIMIT_MS = 60_000;
const ENGINE = ['containerd', 'dockerd'] as const;

const canStartAnEngine =
  process.getuid?.() === 0 && ENGINE.every((name) => findExecutable(name) !== undefined);
// Where another user's engine is used, Berth never starts one, and there is nothing to test.
const describeAsRoot = canStartAnEngine ? describe : describe.skip;

describeAsRoot('a Docker engine of our own (needs root, dockerd and containerd)', () => {
  const parent = mkdtempSync(join(tmpdir(), 'berth-engine-'));
  const state = layOutState('state', parent);
  const files = engineFiles(state);
  const dockerHost = `unix://${files.socket}`;
  let runFile: RunFile;
  let context: LaunchContext;
  let containerId: string;

  beforeAll(async () => {
    prepareState(state);
    takeOver({});
    await startOwnEngine(context);
    await ensureShellLessImages(dockerHost);
    const docker = engineClient(dockerHost);
    const container = await docker.createContainer({
      Image: SHELL_LESS_IMAGE,
      Cmd: ['/probe', 'sleep', '3600'],
    });
    await container.start();
    containerId = container.id;
  }, TEST_TIMEOUT_MS);

  afterAll(async () => {
    await stopContainers(dockerHost, undefined);
    await context.supervisor.stop(ENGINE);
    await unmountBelow(parent);
    rmSync(parent, { recursive: true });
  }, TEST_TIMEOUT_MS);

  it.each(ENGINE)(
    'comes back after the death of %s, and its containers never stop',
    async (name) => {
      const startedAt = await containerStart();
      const old = record(name);
      process.kill(old.pid, 'SIGKILL');
      const isReplaced = (): boolean => (runFile.current.processes[name]?.pid ?? old.pid) !== old.pid;
      expect(await pollUntil(isReplaced, { timeoutMs: RESTART_LIMIT_MS, intervalMs: 10 })).toBe(true);
      const runsOn = async (): Promise<boolean> => (await containerStart().catch(() => '')) === startedAt;
      expect(await pollUntil(runsOn, { timeoutMs: RESTART_LIMIT_MS, intervalMs: 50 })).toBe(true);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'goes on when its supervisor stops, and is adopted by the next one',
    async () => {
      const before = runFile.current.processes;
      await context.supervisor.stop([]);
      takeOver(before);
      const { verb } = await startOwnEngine(context);
      expect(verb).toBe('adopted');
      expect(runFile.current.processes).toEqual(before);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'starts over a pidfile that names another program',
    async () => {
      await context.supervisor.stop(['dockerd']);
      const before = runFile.current.processes;
      writeFileSync(files.pidFile, String(process.pid));
      takeOver(before);
      await startOwnEngine(context);
      expect(record('containerd').pid).toBe(before.containerd?.pid);
      expect(await containerStart()).not.toBe('');
    },
    TEST_TIMEOUT_MS,
  );

  /** A supervisor like the one of a new `npm start`. */
  function takeOver(leftovers: Partial<Record<(typeof ENGINE)[number], ProcessRecord>>): void {
    const reporter = new Reporter(process.stderr, false);
    runFile = new RunFile(state.runFile, {
      version: RUN_FILE_VERSION,
      phase: 'starting',
      supervisor: { pid: process.pid, startTime: '0', command: 'test' },
      stateDirectory: state.root,
      instanceId: 'test',
      processes: leftovers,
    });
    context = {
      root: parent,
      state,
      cache: Cache.fromEnvironment(process.env),
      secrets: {
        instanceId: 'test',
        adminSecret: '',
        s3AccessKey: '',
        s3SecretKey: '',
        payloadKey: '',
        credentialKeys: '1:key',
      },
      options: parseStartArguments([], {}),
      environment: process.env,
      reporter,
      supervisor: new Supervisor(runFile, state.logs, reporter, leftovers),
      ports: new PortChooser(() => undefined),
      signal: new AbortController().signal,
    };
  }

  async function containerStart(): Promise<string> {
    const { State } = await engineClient(dockerHost).getContainer(containerId).inspect();
    return State.Running ? State.StartedAt : '';
  }

  function record(name: (typeof ENGINE)[number]): ProcessRecord {
    const found = runFile.current.processes[name];
    if (found === undefined) throw new Error(`${name} is not recorded`);
    return found;
  }
});
