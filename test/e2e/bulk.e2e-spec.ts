import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it, jest } from '@jest/globals';
import { call, insist, run, sandboxOf } from './api-client.js';
import { berth } from './berth-cli.js';
import { bulk, decided, itemsOf, untilBulk } from './bulk-client.js';
import { startedExec } from './exec-waits.js';
import { killAndAwaitNew } from './processes.js';

jest.setTimeout(180_000);

const FLEET = 4;
let fleet: string[];

/** One fleet for all of them: each leaves its sandboxes running. */
beforeAll(async () => {
  const owner = `u-${randomUUID().slice(0, 8)}`;
  const ids = await Promise.all(Array.from({ length: FLEET }, (_, at) => sandboxOf(`${owner}-${at}`)));
  const asked = { action: 'restart', sandboxIds: ids, dryRun: true };
  const { body } = await call<{ sandboxes: { id: string }[] }>('POST', '/v1/bulk-operations', {
    body: asked,
  });
  // In the order in which they begin.
  fleet = body.sandboxes.map(({ id }) => id);
});

async function generations(): Promise<number[]> {
  const seen = await Promise.all(
    fleet.map((id) => call<{ generation: number }>('GET', `/v1/sandboxes/${id}`)),
  );
  return seen.map(({ body }) => body.generation);
}

const raised = (before: readonly number[]): number[] => before.map((generation) => generation + 1);

describe('a bulk operation', () => {
  it('restarts each sandbox once while the API and the worker are killed', async () => {
    const before = await generations();
    const key = randomUUID();
    const { id } = await bulk({ action: 'restart', sandboxIds: fleet, maxConcurrency: 2 }, key);
    await untilBulk(id, ({ counts }) => counts.succeeded > 0);
    await Promise.all([killAndAwaitNew('worker'), killAndAwaitNew('api')]);
    expect((await bulk({ action: 'restart', sandboxIds: fleet, maxConcurrency: 2 }, key)).id).toBe(id);
    expect(await decided(id)).toMatchObject({
      state: 'succeeded',
      total: FLEET,
      counts: { succeeded: FLEET, failed: 0, running: 0, pending: 0 },
    });
    expect(await generations()).toEqual(raised(before));
    for (const item of await itemsOf(id)) {
      expect(item).toMatchObject({ state: 'succeeded', attempts: 1, phase: 'open_queue', failure: null });
      const operation = await call('GET', item.links['operation'] ?? '');
      expect(operation.body).toMatchObject({
        kind: 'restart',
        state: 'succeeded',
        sandboxId: item.sandboxId,
      });
    }
    for (const sandbox of fleet) {
      expect(await run(sandbox, { command: 'true' })).toMatchObject({ exitCode: 0 });
    }
  });

  it('is paused over its budget, goes on after a retry of what failed, and is told all of it once', async () => {
    const command = '[ -e /workspace/good ]';
    const body = {
      action: 'exec',
      exec: { command },
      sandboxIds: fleet,
      maxConcurrency: 1,
      failureBudget: 0,
    };
    const { id } = await bulk(body);
    const paused = await decided(id);
    expect(paused).toMatchObject({
      state: 'paused',
      pause: { pauseNo: 1, reason: { code: 'failure_budget_spent' } },
      counts: { failed: 1, pending: FLEET - 1 },
      actions: ['resume', 'cancel', 'retry-failed'],
    });
    const [first] = await itemsOf(id, 'failed');
    expect(first).toMatchObject({ number: 1, phase: 'failed', sandboxId: fleet[0] });
    for (const sandbox of fleet) await run(sandbox, { command: 'touch /workspace/good' });
    const retry = async () =>
      await call('POST', `/v1/bulk-operations/${id}/retry-failed`, { body: { round: 1 } });
    expect([(await retry()).status, (await retry()).status]).toEqual([202, 409]);
    const stale = await call('POST', `/v1/bulk-operations/${id}/resume`, { body: { pauseNo: 2 } });
    expect(stale.status).toBe(409);
    expect((await call('POST', `/v1/bulk-operations/${id}/resume`)).status).toBe(202);
    expect(await decided(id)).toMatchObject({ state: 'succeeded', round: 2, counts: { succeeded: FLEET } });
    expect((await itemsOf(id)).map(({ attempts }) => attempts)).toEqual([2, 1, 1, 1]);
  });

  it('skips what is busy, and ends what has begun when it is canceled', async () => {
    const [busy = '', quick = '', slow = ''] = fleet;
    const [held, waitedFor] = await Promise.all(
      [busy, slow].map(async (id) => await startedExec(id, { command: 'exec sleep 600' })),
    );
    const other = await insist<{ operation: { id: string } }>('POST', `/v1/sandboxes/${busy}/restart`, {
      body: { running: 'wait' },
    });
    const before = await generations();
    // The third one waits for what runs in it, so the fourth has not begun when it is canceled.
    const options = { running: 'wait' };
    const { id } = await bulk({ action: 'restart', sandboxIds: fleet, maxConcurrency: 1, options });
    await untilBulk(id, ({ counts }) => counts.succeeded === 1 && counts.running === 1);
    expect((await call('POST', `/v1/bulk-operations/${id}/cancel`)).status).toBe(202);
    await call('POST', `/v1/execs/${waitedFor?.id}/cancel`);
    expect(await decided(id)).toMatchObject({
      state: 'canceled',
      counts: { skipped_busy: 1, succeeded: 2, canceled: 1, pending: 0, running: 0 },
    });
    const done = (await itemsOf(id, 'succeeded')).map(({ sandboxId }) => sandboxId);
    expect(done.toSorted()).toEqual([quick, slow].toSorted());
    const after = await generations();
    expect(fleet.filter((_, at) => after[at] !== before[at]).toSorted()).toEqual(done.toSorted());
    await call('POST', `/v1/execs/${held?.id}/cancel`);
    await call('GET', `/v1/operations/${other.body.operation.id}?wait=60`);
  });

  it('is selected by conditions, shown by a dry run, and followed by the command line to its end', async () => {
    const label = { fleet: randomUUID() };
    const owner = `u-${randomUUID().slice(0, 8)}`;
    const made = await insist<{ sandbox: { id: string } }>('POST', '/v1/sandboxes?wait=60', {
      body: { owner, labels: label },
    });
    const chosen = ['--label', `fleet=${label.fleet}`, '--state', 'running'];
    const dry = await berth('--json', 'bulk', 'stop', ...chosen, '--dry-run');
    expect(JSON.parse(dry.stdout.toString())).toMatchObject({
      total: 1,
      sandboxes: [{ id: made.body.sandbox.id }],
    });
    const stop = await berth('--json', 'bulk', 'stop', ...chosen, '--watch');
    expect(stop.exitCode).toBe(0);
    expect(JSON.parse(stop.stdout.toString())).toMatchObject({ state: 'succeeded', total: 1, owner });
    const { body } = await call('GET', `/v1/sandboxes/${made.body.sandbox.id}`);
    expect(body).toMatchObject({ observedState: 'stopped', labels: label });
    const kept = await bulk({ action: 'snapshot', selector: { label, state: 'stopped' } });
    expect(await decided(kept.id)).toMatchObject({ state: 'succeeded', total: 1 });
    const snapshots = await call('GET', `/v1/sandboxes/${made.body.sandbox.id}/snapshots`);
    expect(snapshots.body).toMatchObject({ items: [{ state: 'ready' }] });
    const exec = ['bulk', 'exec', '--label', `fleet=${label.fleet}`, '--watch', '--', 'false'];
    const failed = await berth(...exec);
    expect(failed.exitCode).toBe(1);
    expect(failed.stdout.toString()).toMatch(/failed +1\n/);
    const again = await bulk({ action: 'delete', selector: { label } });
    expect(await decided(again.id)).toMatchObject({ state: 'succeeded', total: 1 });
  });
});
