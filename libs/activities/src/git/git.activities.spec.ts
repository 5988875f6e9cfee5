import { beforeEach, describe, expect, it } from '@jest/globals';
import { planOperation, type GitKind, type GitOptions, type Operation, type StepName } from '#domain';
import { LifecycleWorld } from '../../../../test/fakes/lifecycle-world.js';

/** What each kind asks of git, one after the other, and what comes of it. */
const KINDS: Readonly<Record<GitKind, Readonly<Record<string, string>>>> = {
  git_clone: { clone: 'cloned' },
  git_commit: { commit: 'committed' },
  git_push: { push: 'pushed' },
  git_pull: { pull: 'updated' },
  git_commit_and_push: { commit: 'committed', push: 'pushed' },
  git_pull_request: { open: 'opened' },
};
const EVERY = Object.keys(KINDS) as GitKind[];
const GIT: GitOptions = { path: '/workspace/a', url: 'https://git.test/a', message: 'm', branch: 'main' };

let life: LifecycleWorld;

beforeEach(async () => {
  life = new LifecycleWorld();
  await life.makeSandbox();
  const start = await life.request('start');
  for (const { step } of planOperation('start', {})) await life.attempt(step, start);
});

const asked = async (kind: GitKind): Promise<Operation> => await life.request(kind, { git: GIT });
const row = async ({ id }: Operation): Promise<Operation> => await life.world.operations.get(id);
const stepsOf = (kind: GitKind): StepName[] => planOperation(kind, {}).map(({ step }) => step);
const gitStepsOf = (kind: GitKind): StepName[] => stepsOf(kind).filter((step) => step !== 'record_git');
const wanted = (kind: GitKind): { state: string; result: object }[] =>
  Object.values(KINDS[kind]).map((outcome) => ({
    state: '',
    result: { outcome, commit: 'c0ffee', branch: 'main' },
  }));
const done = (): string[] => life.git.input.map((text) => (JSON.parse(text) as { action: string }).action);

async function expectDoneOnce(kind: GitKind, operation: Operation): Promise<void> {
  expect(done()).toEqual(Object.keys(KINDS[kind]));
  expect(await row(operation)).toMatchObject({
    state: 'succeeded',
    result: { outcome: Object.values(KINDS[kind]).at(-1), commit: 'c0ffee' },
    steps: stepsOf(kind).map((name) => ({ name, state: 'succeeded' })),
  });
}

describe.each(EVERY)('the steps of a %s', (kind) => {
  it('bring it about once when each is taken twice', async () => {
    const operation = await asked(kind);
    life.git.next = wanted(kind);
    for (const step of stepsOf(kind)) {
      await life.attempt(step, operation);
      await life.attempt(step, operation);
    }
    await expectDoneOnce(kind, operation);
  });

  it('go on with what git has done where the way to it was lost meanwhile', async () => {
    const operation = await asked(kind);
    life.git.next = wanted(kind).map((run) => ({ ...run, cutsOff: true }));
    for (const step of gitStepsOf(kind)) {
      await expect(life.attempt(step, operation)).rejects.toMatchObject({ type: 'runner_unreachable' });
      expect((await row(operation)).steps.at(-1)).toMatchObject({ name: step, state: 'failed' });
      await life.attempt(step, operation);
    }
    await life.attempt('record_git', operation);
    await expectDoneOnce(kind, operation);
  });

  it('are tried anew after a failure, and say that they repeat', async () => {
    const operation = await asked(kind);
    life.git.next = wanted(kind).flatMap((run) => [{ state: '', result: { outcome: 'network' } }, run]);
    for (const step of gitStepsOf(kind)) {
      await expect(life.attempt(step, operation)).rejects.toMatchObject({
        type: 'git_network',
        nonRetryable: false,
      });
      expect((await row(operation)).result).toMatchObject({ outcome: 'network' });
      await life.attempt(step, operation);
    }
    await life.attempt('record_git', operation);
    expect(life.git.input.map((text) => (JSON.parse(text) as { repeated: boolean }).repeated)).toEqual(
      gitStepsOf(kind).flatMap(() => [false, true]),
    );
    expect((await row(operation)).state).toBe('succeeded');
  });

  it('begin nothing once the operation has ended', async () => {
    const operation = await asked(kind);
    await life.world.operations.move(operation.id, ['pending'], 'canceled');
    for (const step of stepsOf(kind)) {
      await expect(life.attempt(step, operation)).rejects.toMatchObject({ type: 'invalid_state' });
    }
    expect(life.git.started).toEqual([]);
  });

  it('are undone by ending what runs, however often; only a clone has left anything', async () => {
    const operation = await asked(kind);
    life.git.next = [{ state: '', cutsOff: true }];
    const [first = 'record_git'] = gitStepsOf(kind);
    await expect(life.attempt(first, operation)).rejects.toMatchObject({ type: 'runner_unreachable' });
    const [id = ''] = life.git.started;
    life.git.runs.set(id, { state: 'running' });
    life.git.next = [1, 2].map(() => ({ state: '', result: { outcome: 'discarded' } }));
    await life.attempt('discard_git', operation);
    await life.attempt('discard_git', operation);
    expect(life.git.ended.filter((what) => what === `cancel ${id}`)).toHaveLength(1);
    expect(done().slice(1)).toEqual(kind === 'git_clone' ? ['discard', 'discard'] : []);
  });
});
