import { beforeEach, describe, expect, it } from '@jest/globals';
import { limits, type Operation } from '#domain';
import { ScriptedRunner } from '../../../../test/fakes/scripted-runner.js';
import { GitRuns, gitRunId } from './git-runs.js';

const STEP = 'push_branch';
const operation = {
  id: '0190b0a0-0000-7000-8000-000000000001',
  tenantId: 'default',
  ownerId: 'u1',
  options: { git: { path: '/workspace/a', credentialId: 'c' } },
} as unknown as Operation;
const id = (runNo: number): string => gitRunId(operation.id, STEP, runNo);
const { signal } = new AbortController();

let runner: ScriptedRunner;
let secret: string | undefined;
const runs = (): GitRuns =>
  new GitRuns(
    {
      credentials: {
        open: () =>
          Promise.resolve(
            secret === undefined ? undefined : ({ host: 'h', username: 'git', secret } as never),
          ),
      },
      settings: { allowedNetworks: [], certificates: '', bytesMax: 1 },
    },
    runner.connection,
    operation,
    STEP,
  );
const take = async () => await runs().take({ action: 'push', path: '/workspace/a' }, signal, () => undefined);

beforeEach(() => {
  runner = new ScriptedRunner();
  secret = 'token';
});

describe('the runs of one step', () => {
  it('are one where the step is tried again while it runs, or after it came about', async () => {
    runner.next = [{ state: '', result: { outcome: 'pushed' } }];
    expect(await take()).toMatchObject({ outcome: 'pushed' });
    expect(await take()).toMatchObject({ outcome: 'pushed' });
    runner.runs.set(id(1), { state: 'running', result: { outcome: 'pushed' } });
    expect(await take()).toMatchObject({ outcome: 'pushed' });
    expect(runner.started).toEqual([id(1)]);
  });

  it('begin anew after one that failed, was cut off or was canceled, and say that they repeat', async () => {
    runner.runs.set(id(1), { state: 'finished', result: { outcome: 'network' } });
    runner.runs.set(id(2), { state: 'finished', exit: { exitCode: null, signal: 'SIGKILL' } });
    runner.runs.set(id(3), { state: 'lost' });
    runner.runs.set(id(4), { state: 'canceled' });
    runner.next = [{ state: '', result: { outcome: 'already_there' } }];
    expect(await take()).toMatchObject({ outcome: 'already_there' });
    expect(runner.started).toEqual([id(5)]);
    expect(JSON.parse(runner.input[0] ?? '')).toMatchObject({ mark: operation.id, repeated: true });
  });

  it('tell a failure of their own at once, so that whoever asked counts it', async () => {
    runner.next = [{ state: '', result: { outcome: 'auth_failed' } }];
    expect(await take()).toMatchObject({ outcome: 'auth_failed' });
    runner.next = [{ state: '', exit: { exitCode: 137 } }];
    await expect(take()).rejects.toMatchObject({ code: 'git_failed' });
    expect(runner.started).toEqual([id(1), id(2)]);
  });

  it('are bounded', async () => {
    for (let runNo = 1; runNo <= limits.GIT_RUNS_PER_STEP_MAX; runNo++)
      runner.runs.set(id(runNo), { state: 'lost' });
    await expect(take()).rejects.toMatchObject({ code: 'git_failed' });
    expect(runner.started).toEqual([]);
  });

  it('hand the secret to standard input, and begin nothing where it is gone', async () => {
    runner.next = [{ state: '', result: { outcome: 'pushed' } }];
    await take();
    expect(JSON.parse(runner.input[0] ?? '')).toMatchObject({ remote: { credential: { secret: 'token' } } });
    runner.runs.clear();
    secret = undefined;
    await expect(take()).rejects.toMatchObject({ code: 'git_auth_failed' });
    expect(runner.started).toEqual([id(1)]);
  });

  it('are canceled while they run, and forgotten once they have ended', async () => {
    runner.runs.set(id(1), { state: 'finished' });
    runner.runs.set(id(2), { state: 'running' });
    await runs().cancel();
    await runs().forget();
    expect(runner.ended).toEqual([`cancel ${id(2)}`, `forget ${id(1)}`]);
  });
});
