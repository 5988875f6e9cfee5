import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { call, ended, run, sandboxOf, startExec, type ExecBody } from './api-client.js';
import { untilOutput } from './exec-waits.js';

const TEST_TIMEOUT_MS = 120_000;
const MIB = 1_048_576;

/** Time for a shell to come as far as its first line, also where a machine has much else to do. */
const FIRST_LINE_SECONDS = 5;

let sandbox: string;

beforeAll(async () => {
  sandbox = await sandboxOf(`evidence-${randomUUID().slice(0, 8)}`);
}, TEST_TIMEOUT_MS);

interface Usage {
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly memoryPeakBytes: number;
}

const usageOf = (exec: ExecBody): Usage => exec['usage'] as Usage;

async function canceled(command: string): Promise<ExecBody> {
  const { id } = await startExec(sandbox, { command });
  await untilOutput(id, 'up');
  await call('POST', `/v1/execs/${id}/cancel`);
  return await ended(id);
}

/** What `lost` and `oom_killed` have as evidence is in attacks/intruder and attacks/hogs. */
describe('an end', () => {
  it.each<[string, () => Promise<ExecBody>, object]>([
    [
      'succeeded: the exit record says code 0',
      () => run(sandbox, { command: 'echo out; echo err >&2' }),
      { state: 'succeeded', exitCode: 0, exitRecord: { reason: 'exited', stdoutBytes: 4, stderrBytes: 4 } },
    ],
    [
      'failed: it says the code',
      () => run(sandbox, { command: 'exit 42' }),
      { state: 'failed', exitCode: 42, signal: null, exitRecord: { reason: 'exited', exitCode: 42 } },
    ],
    [
      'failed: it says the signal, and no code',
      () => run(sandbox, { command: 'kill -QUIT $$' }),
      { state: 'failed', exitCode: null, signal: 'SIGQUIT', exitRecord: { reason: 'exited' } },
    ],
    [
      'timed_out: it says how the command really ended',
      () =>
        run(sandbox, {
          command: "trap 'exit 9' TERM; while :; do sleep 0.1; done",
          timeoutSeconds: FIRST_LINE_SECONDS,
        }),
      { state: 'timed_out', exitCode: 9, exitRecord: { reason: 'timed_out', hadToKill: false } },
    ],
    [
      'timed_out: of silence',
      () => run(sandbox, { command: 'echo x; sleep 600', idleTimeoutSeconds: FIRST_LINE_SECONDS }),
      { state: 'timed_out', exitRecord: { reason: 'idle_timed_out', stdoutBytes: 2 } },
    ],
    [
      'output_limited: with as many bytes as were allowed',
      () => run(sandbox, { command: 'yes', outputBytesMax: 1_000 }),
      { state: 'output_limited', stdoutBytes: 1_000, exitRecord: { reason: 'output_limited' } },
    ],
    [
      'canceled: when it was asked for, and what had to be killed',
      () => canceled("trap '' TERM; echo up; while :; do sleep 0.1; done"),
      {
        state: 'canceled',
        cancelRequestedAt: expect.any(String),
        exitRecord: { reason: 'canceled', hadToKill: true, descendantsLeft: 0 },
      },
    ],
    [
      'not_started: why, and that it has no exit code',
      () => run(sandbox, { argv: ['/no/such/program'] }),
      { state: 'not_started', exitCode: null, failure: { code: 'command_not_found' } },
    ],
  ])(
    '%s',
    async (_what, ends, evidence) => {
      const exec = await ends();
      expect(exec).toMatchObject(evidence);
      expect(exec['evidence']).toBeNull();
      expect(exec.finishedAt).not.toBeNull();
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'says what the command and all of its descendants have used',
    async () => {
      const command = `sh -c 'head -c ${64 * MIB} /dev/zero | tail -c ${64 * MIB} | sha256sum'; sleep 1`;
      const { wallMs, cpuMs, memoryPeakBytes } = usageOf(await run(sandbox, { command }));
      expect(wallMs).toBeGreaterThanOrEqual(1_000);
      expect(cpuMs).toBeGreaterThan(0);
      expect(memoryPeakBytes).toBeGreaterThan(64 * MIB);
    },
    TEST_TIMEOUT_MS,
  );
});
