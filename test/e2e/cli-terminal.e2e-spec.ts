import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { ended, output, sandboxOf, startExec } from './api-client.js';
import { startedExec, untilOutput } from './exec-waits.js';
import { until } from './until.js';
import { BERTH, berth, berthReading, cliEnvironment } from './berth-cli.js';

const TEST_TIMEOUT_MS = 240_000;
const PROMPT = '% ';
const DETACH = '\x1d';

let sandbox: string;
const terminals: LocalTerminal[] = [];

beforeAll(async () => {
  sandbox = await sandboxOf(`tty-${randomUUID().slice(0, 8)}`);
}, TEST_TIMEOUT_MS);
afterEach(() => {
  for (const terminal of terminals.splice(0)) terminal.close();
});

/** The command line in a terminal of this machine, as a person has one. */
class LocalTerminal {
  shown = '';
  readonly exitCode: Promise<number | null>;
  private readonly child: ChildProcess;

  constructor(...argv: readonly string[]) {
    const line = [process.execPath, BERTH, ...argv].map((word) => `'${word}'`).join(' ');
    this.child = spawn('script', ['--quiet', '--return', '--flush', '--command', line, '/dev/null'], {
      env: cliEnvironment(),
    });
    for (const stream of [this.child.stdout, this.child.stderr])
      stream?.on('data', (bytes: Buffer) => (this.shown += bytes.toString()));
    this.exitCode = new Promise((resolve) => this.child.once('close', (code) => resolve(code)));
    terminals.push(this);
  }

  type(text: string): void {
    this.child.stdin?.write(text);
  }

  async until(condition: (shown: string) => boolean): Promise<void> {
    await until(() => this.shown, condition);
  }

  close(): void {
    this.child.kill('SIGKILL');
  }
}

const shell = ['--env', `PS1=${PROMPT}`, '--env', 'HISTFILE=', '--', 'bash', '--norc', '-i'];

describe('berth in a terminal', () => {
  it(
    'is the terminal of the command: what is typed reaches it, what it shows is shown, its end is the end',
    async () => {
      const terminal = new LocalTerminal('exec', '-it', '--sandbox', sandbox, ...shell);
      await terminal.until((shown) => shown.includes(PROMPT));
      terminal.type('echo sum-$((40+2)); tty\r');
      await terminal.until((shown) => shown.includes('sum-42') && shown.includes('/dev/pts/'));
      // What it says itself shows that it runs in front; the echo of the line does not.
      terminal.type("sh -c 'echo front-$((1+1)); exec sleep 300'\r");
      await terminal.until((shown) => shown.includes('front-2'));
      terminal.type('\x03');
      await terminal.until((shown) => shown.slice(shown.indexOf('front-2')).includes(PROMPT));
      terminal.type('exit 7\r');
      expect(await terminal.exitCode).toBe(7);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'leaves a command that goes on, is attached to it again with all that was shown, and takes the input over',
    async () => {
      const { id } = await startExec(sandbox, {
        argv: ['bash', '--norc', '-i'],
        env: { PS1: PROMPT, HISTFILE: '' },
        tty: { columns: 80, rows: 24 },
      });
      const first = new LocalTerminal('exec', 'attach', '-i', id);
      await first.until((shown) => shown.includes(PROMPT));
      first.type('echo first-$((1+1))\r');
      await first.until((shown) => shown.includes('first-2'));
      const second = new LocalTerminal('exec', 'attach', '-i', id);
      await second.until((shown) => shown.includes('first-2'));
      await first.until((shown) => shown.includes('somebody else types'));
      second.type('echo second-$((1+2))\r');
      await Promise.all([first, second].map((one) => one.until((shown) => shown.includes('second-3'))));
      first.type(DETACH);
      expect(await first.exitCode).toBe(0);
      second.type('exit 4\r');
      expect(await second.exitCode).toBe(4);
      expect(await ended(id)).toMatchObject({ state: 'failed', exitCode: 4 });
    },
    TEST_TIMEOUT_MS,
  );
});

describe('berth from a program', () => {
  it(
    'hands its input to a command, to one that runs already, and sends signals',
    async () => {
      const piped = await berthReading('one\ntwo\n', 'exec', '-i', '--sandbox', sandbox, '--', 'wc', '-l');
      expect(piped).toMatchObject({ exitCode: 0 });
      expect(piped.stdout.toString().trim()).toBe('2');

      const { id } = await startedExec(sandbox, { command: 'cat', stdin: { kind: 'open' } });
      expect(await berthReading('hello ', 'exec', 'stdin', '--open', id)).toMatchObject({ exitCode: 0 });
      expect(await berthReading('world\n', 'exec', 'stdin', id)).toMatchObject({ exitCode: 0 });
      expect(await ended(id)).toMatchObject({ state: 'succeeded' });
      expect((await output(id)).toString()).toBe('hello world\n');

      const trap = await startExec(sandbox, {
        command: "trap 'exit 5' USR1; echo ready; while :; do sleep 0.1; done",
      });
      await untilOutput(trap.id, 'ready');
      expect(await berth('exec', 'signal', trap.id, 'USR1')).toMatchObject({ exitCode: 0 });
      expect(await ended(trap.id)).toMatchObject({ state: 'failed', exitCode: 5 });
    },
    TEST_TIMEOUT_MS,
  );
});
