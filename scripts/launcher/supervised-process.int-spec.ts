import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ComponentDescription } from './component.js';
import { pollUntil } from './pause.js';
import { isAlive } from './process-identity.js';
import { isFree } from './ports.js';
import { probeHttp } from './probes.js';
import type { ProcessRecord } from './run-file.js';
import { SupervisedProcess } from './supervised-process.js';

const HOST = '127.0.0.1';
/** When a test gives up. That a process is started again at once is what its supervisor says. */
const RESTART_LIMIT_MS = 60_000;
const TEST_TIMEOUT_MS = 150_000;
const SERVER = `
  console.log('serving');
  require('node:http').createServer((_, response) => response.end('ok')).listen(Number(process.env.PORT), '${HOST}');
`;
const STUBBORN = `process.on('SIGTERM', () => console.log('not me')); ${SERVER}`;

describe('a supervised process', () => {
  const never = new AbortController().signal;
  let directory: string;
  let logPath: string;
  let port: number;
  let records: (ProcessRecord | undefined)[];
  let said: string[];
  let running: SupervisedProcess[];

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'berth-supervised-'));
    logPath = join(directory, 'component.log');
    records = [];
    said = [];
    running = [];
    port = 27_000;
    while (!(await isFree(HOST, port))) port += 1;
  });

  afterEach(async () => {
    for (const component of running) await component.stop();
    rmSync(directory, { recursive: true });
  });

  function supervise(program: string, change: Partial<ComponentDescription> = {}): SupervisedProcess {
    const description: ComponentDescription = {
      name: 'api',
      command: [process.execPath, '-e', program],
      env: { PORT: String(port) },
      cwd: directory,
      port,
      probe: () => probeHttp(`http://${HOST}:${port}`),
      readyTimeoutMs: 60_000,
      stopSignal: 'SIGTERM',
      stopTimeoutMs: 500,
      ...change,
    };
    const component = new SupervisedProcess(description, logPath, {
      onProcess: (record) => records.push(record),
      say: (text) => said.push(text),
    });
    running.push(component);
    return component;
  }

  function latest(): ProcessRecord {
    const record = records.at(-1);
    if (record === undefined) throw new Error('no process is recorded');
    return record;
  }

  async function replaced(old: ProcessRecord): Promise<boolean> {
    return pollUntil(() => records.at(-1) !== undefined && latest().pid !== old.pid, {
      timeoutMs: RESTART_LIMIT_MS,
      intervalMs: 10,
    });
  }

  it(
    'is started again at once when it has died, and is recorded anew',
    async () => {
      await supervise(SERVER).start(never);
      const first = latest();
      expect(first.port).toBe(port);
      process.kill(first.pid, 'SIGKILL');
      expect(await replaced(first)).toBe(true);
      expect(said[0]).toContain(`process ${first.pid} ended (SIGKILL); it is started again now`);
      expect(isAlive(latest())).toBe(true);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'is adopted by another supervisor, which starts it again, too',
    async () => {
      const first = supervise(SERVER);
      await first.start(never);
      const record = latest();
      await first.detach();
      const second = supervise(SERVER);
      expect(await second.adopt(record, never)).toBe(true);
      expect(latest().pid).toBe(record.pid);
      process.kill(record.pid, 'SIGKILL');
      expect(await replaced(record)).toBe(true);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'is killed when it does not end on the signal that it should understand',
    async () => {
      // Long enough for it to hear the signal.
      const component = supervise(STUBBORN, { stopTimeoutMs: 3_000 });
      await component.start(never);
      const record = latest();
      await component.stop();
      expect(isAlive(record)).toBe(false);
      expect(records.at(-1)).toBeUndefined();
      expect(said.at(-1)).toContain('was killed');
      expect(readFileSync(logPath, 'utf8')).toContain('not me');
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'that dies at each start is an error with its last words and the path of its log',
    async () => {
      const component = supervise("console.log('no configuration'); process.exit(3)");
      await expect(component.start(never)).rejects.toThrow(
        /exit code 3[^]*component\.log[^]*no configuration/,
      );
      expect(records.at(-1)).toBeUndefined();
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'that cannot be run at all is an error, too',
    async () => {
      const component = supervise('', { command: [join(directory, 'missing')] });
      await expect(component.start(never)).rejects.toThrow('ENOENT');
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'is not taken for ready when somebody else answers on its port',
    async () => {
      const intruder = createServer((_, response) => response.end('ok')).listen(port, HOST);
      await once(intruder, 'listening');
      const component = supervise('setInterval(() => undefined, 1000)');
      await expect(component.start(never)).rejects.toThrow(`port ${port} is held by process ${process.pid}`);
      intruder.close();
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'is not started again while it is being stopped',
    async () => {
      const component = supervise(SERVER);
      await component.start(never);
      process.kill(latest().pid, 'SIGKILL');
      await component.stop();
      const record = records.findLast((candidate) => candidate !== undefined);
      expect(record !== undefined && isAlive(record)).toBe(false);
      expect(await isFree(HOST, port)).toBe(true);
    },
    TEST_TIMEOUT_MS,
  );
});
