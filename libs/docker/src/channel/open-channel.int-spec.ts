import { createHash, randomUUID } from 'node:crypto';
import { BASE_IMAGE } from '../../../../scripts/launcher/base-image.js';
import { ensureShellLessImages, SHELL_LESS_IMAGE } from '../../../../test/stack/images.js';
import { runningStack } from '../../../../test/stack/running-stack.js';
import { decodeFrames, type ExitRecord, type LostReason, type RunnerConnection } from '#domain';
import { buildRunner, TestingContainer } from './testing-container.js';

const TEST_TIMEOUT_MS = 60_000;
/** As long as a slow machine needs; what is obeyed ends at once. */
const STOP_SECONDS = 60;
const BOMB_GRACE_MS = 300;
const EVENTUAL_MS = 45_000;
const never = new AbortController().signal;

let runner: Buffer;
let sandbox: TestingContainer;

beforeAll(async () => {
  runner = await buildRunner();
}, 240_000);
afterEach(async () => sandbox.remove(), TEST_TIMEOUT_MS);

async function boot(image = BASE_IMAGE, host = {}): Promise<RunnerConnection> {
  sandbox = new TestingContainer(runningStack().dockerHost, image);
  await sandbox.run(runner, host);
  return await sandbox.channel();
}

function shell(line: string) {
  return { execId: randomUUID(), argv: ['sh', '-c', line] };
}

interface Followed {
  stdout: string;
  stdoutSha256: string;
  stderr: string;
  position: number;
  record?: ExitRecord;
  lost?: LostReason;
}

/** Follows to the end, commits what it has, and checks that every frame continues its stream. */
async function follow(connection: RunnerConnection, execId: string, commits = true): Promise<Followed> {
  const streams: Record<string, Buffer[]> = { stdout: [], stderr: [], terminal: [] };
  const followed: Followed = { stdout: '', stdoutSha256: '', stderr: '', position: 0 };
  for await (const event of connection.follow(execId, 0, never)) {
    if (event.kind === 'frames') {
      const { frames, consumed } = decodeFrames(event.bytes);
      expect(consumed).toBe(event.bytes.length);
      for (const { stream, payload } of frames) streams[stream]?.push(Buffer.from(payload));
      followed.position = event.position + event.bytes.length;
      if (commits) await connection.commit(execId, followed.position);
    } else if (event.kind === 'end') followed.record = event.exitRecord;
    else followed.lost = event.reason;
  }
  const stdout = Buffer.concat(streams['stdout'] ?? []);
  followed.stdout = stdout.toString();
  followed.stdoutSha256 = createHash('sha256').update(stdout).digest('hex');
  followed.stderr = Buffer.concat(streams['stderr'] ?? []).toString();
  return followed;
}

async function eventually(condition: () => Promise<boolean>): Promise<void> {
  for (const giveUpAt = Date.now() + EVENTUAL_MS; !(await condition());) {
    if (Date.now() > giveUpAt) throw new Error('It never came true.');
    await new Promise((wake) => setTimeout(wake, 20));
  }
}

describe('a runner behind docker exec', () => {
  it(
    'runs a command as the exec user without capabilities',
    async () => {
      const connection = await boot();
      const request = shell(
        'id -u; grep -E "CapEff|CapPrm|CapInh" /proc/self/status; echo x > /workspace/mine; echo oops >&2; exit 3',
      );
      await expect(connection.start(request)).resolves.toEqual({ state: 'started' });
      const { stdout, stderr, record } = await follow(connection, request.execId);
      expect(stdout).toBe(
        `1000\n${['CapInh', 'CapPrm', 'CapEff'].map((set) => `${set}:\t0000000000000000\n`).join('')}`,
      );
      expect(stderr).toBe('oops\n');
      expect(record).toMatchObject({ reason: 'exited', exitCode: 3, signal: null, selfReported: false });
      await expect(connection.start(request)).resolves.toMatchObject({ state: 'finished' });
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'works in an image without a shell, on a read-only root',
    async () => {
      await ensureShellLessImages(runningStack().dockerHost);
      const connection = await boot(SHELL_LESS_IMAGE, { ReadonlyRootfs: true });
      const request = { execId: randomUUID(), argv: ['/probe', 'id'] };
      await connection.start(request);
      await expect(follow(connection, request.execId)).resolves.toMatchObject({ stdout: '1000:1000\n' });
      await expect(connection.start(shell('true'))).resolves.toMatchObject({
        state: 'finished',
        exitRecord: { reason: 'start_failed', exitCode: 127, startFailure: { code: 'command_not_found' } },
      });
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'brings a hundred megabytes byte for byte',
    async () => {
      const connection = await boot();
      const request = shell('seq 1 100000000 | head -c 100000000');
      await connection.start(request);
      const { record, stdoutSha256 } = await follow(connection, request.execId);
      expect(record).toMatchObject({ stdoutBytes: 100_000_000, stdoutSha256 });
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'goes on with a command whose channel was cut, and another channel resumes without a gap',
    async () => {
      const first = await boot();
      const request = shell('for i in $(seq 1 100); do echo $i; sleep 0.02; done');
      await first.start(request);
      let position = 0;
      for await (const event of first.follow(request.execId, 0, never)) {
        if (event.kind === 'frames') position = event.position + event.bytes.length;
        if (position > 300) break;
      }
      await first.close();
      await expect(first.status(request.execId)).rejects.toMatchObject({ code: 'runner_unreachable' });
      const second = await sandbox.channel();
      for await (const event of second.follow(request.execId, position, never)) {
        if (event.kind === 'frames') expect(event.position).toBe(position);
        if (event.kind === 'frames') position += event.bytes.length;
        if (event.kind === 'end')
          expect(event.exitRecord).toMatchObject({ endPosition: position, exitCode: 0 });
      }
      const whole = await follow(second, request.execId, false);
      expect(whole.stdout).toBe(Array.from({ length: 100 }, (_, at) => `${at + 1}\n`).join(''));
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'cancels a tree that ignores TERM, daemons included',
    async () => {
      const connection = await boot();
      const request = shell(
        `trap '' TERM; (setsid sh -c 'trap "" TERM; sleep 300' &); echo ready; sleep 300; sleep 300`,
      );
      await connection.start(request);
      await eventually(async () => (await connection.status(request.execId)).endPosition > 0);
      const canceled = await connection.cancel(request.execId, 300);
      expect(canceled).toMatchObject({
        state: 'canceled',
        hadToKill: true,
        exitRecord: { signal: 'SIGKILL' },
      });
      const { Processes } = (await sandbox.engine.top({ ps_args: '-eo pid,args' })) as {
        Processes: string[][];
      };
      expect(Processes.filter(([, command]) => command?.includes('sleep'))).toEqual([]);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'calls an OOM kill by its name',
    async () => {
      const connection = await boot(BASE_IMAGE, { Memory: 64 * 1_048_576, MemorySwap: 64 * 1_048_576 });
      const request = { execId: randomUUID(), argv: ['tail', '/dev/zero'] };
      await connection.start(request);
      const { record } = await follow(connection, request.execId);
      expect(record).toMatchObject({ reason: 'oom_killed', signal: 'SIGKILL', exitCode: null });
      const next = shell('echo alive');
      await connection.start(next);
      await expect(follow(connection, next.execId)).resolves.toMatchObject({ stdout: 'alive\n' });
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'survives a fork bomb at the limit of processes, and ends it',
    async () => {
      const connection = await boot(BASE_IMAGE, { PidsLimit: 64 });
      // bash tries again to fork for half a minute, so the limit stays reached.
      const line = 'while :; do sleep 300 & done';
      const bomb = { execId: randomUUID(), argv: ['bash', '-c', line] };
      await connection.start(bomb);
      let late = shell('true');
      let refusal: unknown;
      await eventually(async () => {
        late = shell('true');
        refusal = await connection.start(late).then(
          () => undefined,
          (error: unknown) => error,
        );
        return refusal !== undefined;
      });
      expect(refusal).toMatchObject({
        code: 'dependency_unavailable',
        extra: { runnerCode: 'resource_exhausted' },
      });
      await connection.cancel(bomb.execId, BOMB_GRACE_MS);
      const { record } = await follow(connection, bomb.execId);
      expect(record).toMatchObject({ reason: 'canceled', descendantsLeft: 0 });
      await expect(connection.start(late)).resolves.toEqual({ state: 'started' });
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'records the stop of its container, and a drain reads it',
    async () => {
      const connection = await boot();
      const request = shell('echo before; while :; do sleep 1; done');
      await connection.start(request);
      await eventually(async () => (await connection.status(request.execId)).endPosition > 0);
      await sandbox.engine.stop({ t: STOP_SECONDS });
      // It has ended by itself: what Docker has to kill ends with 137.
      expect((await sandbox.engine.inspect()).State.ExitCode).toBe(0);
      const drain = await sandbox.drain();
      const { record, stdout } = await follow(drain, request.execId, false);
      expect(stdout).toBe('before\n');
      expect(record).toMatchObject({ reason: 'sandbox_stopped', signal: 'SIGTERM' });
      await expect(drain.start(request)).rejects.toMatchObject({ extra: { runnerCode: 'read_only' } });
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'leaves a killed container its output and no invented end',
    async () => {
      const connection = await boot();
      const request = shell('echo once >> ran; cat ran; sleep 300');
      await connection.start(request);
      await eventually(async () => (await connection.status(request.execId)).endPosition > 0);
      await sandbox.engine.kill();
      await expect(connection.closed).resolves.toMatchObject({ code: 'runner_unreachable' });
      const drained = await follow(await sandbox.drain(), request.execId, false);
      expect(drained).toMatchObject({ stdout: 'once\n', lost: 'sandbox_restarted' });
      await sandbox.engine.start();
      const again = await sandbox.channel();
      await expect(again.start(request)).resolves.toMatchObject({ state: 'lost' });
      await expect(follow(again, request.execId)).resolves.toMatchObject({
        stdout: 'once\n',
        lost: 'sandbox_restarted',
      });
    },
    TEST_TIMEOUT_MS,
  );
});
