import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { WorkflowHandle } from '@temporalio/client';
import { v7 as uuidv7 } from 'uuid';
import {
  CANCEL_SIGNAL,
  PAUSE_SIGNAL,
  RESUME_SIGNAL,
  RETRY_FAILED_SIGNAL,
  WAKE_SIGNAL,
} from '#workflows/contract';
import { runningStack } from '../stack/running-stack.js';
import { createTestNamespace, type TestNamespace } from '../stack/temporal-namespace.js';
import { keepHistory } from './saved-histories.js';
import { PAGE_ITEMS, ScriptedBulks, type BulkShape, type ScriptedBulk } from './scripted-bulk.js';
import { signalUnlessOver, startScriptedWorkers } from './scripted-worker.js';

jest.setTimeout(120_000);

/** Not more often, or a run that is signalled all the time never comes to be continued as a new one. */
const WAKE_AGAIN_MS = 1_000;

let namespace: TestNamespace;
let stop: () => Promise<void>;
const bulks = new ScriptedBulks();

beforeAll(async () => {
  namespace = await createTestNamespace(runningStack().temporalAddress);
  stop = await startScriptedWorkers(namespace, bulks.activities);
}, 60_000);
afterAll(async () => {
  await stop();
  await namespace.close();
});

async function runBulk(
  name: string,
  shape: BulkShape,
  play: (bulk: ScriptedBulk, handle: WorkflowHandle) => Promise<void>,
): Promise<void> {
  const bulk = bulks.add(shape);
  const handle = await bulk.start(namespace);
  const { runId } = await handle.describe();
  await play(bulk, handle);
  await keepHistory(namespace, name, handle.workflowId, runId);
}

/** Looks again and again, for as long as the test has. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await pause();
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));

describe('the run of a bulk operation', () => {
  it('begins the next item when one has ended, and ends with the last one', async () => {
    await runBulk('bulk-succeeded', { size: 4, concurrency: 2 }, async (bulk, handle) => {
      for (const [at, item] of bulk.items.entries()) {
        await until(() => bulk.counts.succeeded === at && bulk.counts.running === Math.min(2, 4 - at));
        item.end('succeeded');
      }
      expect(await handle.result()).toEqual({ state: 'succeeded' });
      const told = bulk.advances.flatMap(({ started }) => started.execIds);
      expect(new Set(told).size).toBe(told.length);
    });
  });

  it('begins nothing while it is paused, however often it is told, and goes on when it is resumed', async () => {
    await runBulk('bulk-paused-then-resumed', { size: 2, concurrency: 1 }, async (bulk, handle) => {
      const [first, second] = bulk.items;
      await until(() => first?.state === 'running');
      for (let time = 1; time <= 2; time += 1) await handle.signal(PAUSE_SIGNAL);
      await until(() => bulk.advances.some(({ controls }) => controls.length > 0));
      first?.end('succeeded');
      await until(() => bulk.seenSucceeded === 1);
      expect([second?.state, bulk.counts.running]).toEqual(['pending', 0]);
      await handle.signal(RESUME_SIGNAL, { pauseNo: 7 });
      await handle.signal(RESUME_SIGNAL, { pauseNo: 1 });
      await until(() => second?.state === 'running');
      second?.end('succeeded');
      expect(await handle.result()).toEqual({ state: 'succeeded' });
    });
  });

  it('lets what has begun end when it is canceled', async () => {
    await runBulk('bulk-canceled', { size: 3, concurrency: 1 }, async (bulk, handle) => {
      await until(() => bulk.counts.running === 1);
      await handle.signal(CANCEL_SIGNAL);
      await until(() => bulk.counts.canceled === 2);
      bulk.items[0]?.end('failed');
      expect(await handle.result()).toEqual({ state: 'canceled' });
    });
  });

  it('takes a cancel of Temporal for one of its own', async () => {
    await runBulk('bulk-canceled-in-temporal', { size: 2, concurrency: 1 }, async (bulk, handle) => {
      await until(() => bulk.counts.running === 1);
      await handle.cancel();
      await until(() => bulk.counts.canceled === 1);
      bulk.items[0]?.end('succeeded');
      expect(await handle.result()).toEqual({ state: 'canceled' });
    });
  });

  it('begins anew what failed while others run, for the round that is asked for and no other', async () => {
    await runBulk('bulk-retried', { size: 2, concurrency: 2 }, async (bulk, handle) => {
      await until(() => bulk.counts.running === 2);
      bulk.items[0]?.end('failed');
      await until(() => bulk.counts.failed === 1);
      for (let time = 1; time <= 2; time += 1) await handle.signal(RETRY_FAILED_SIGNAL, { round: 1 });
      await until(() => bulk.counts.running === 2);
      for (const item of bulk.items) item.end('succeeded');
      expect(await handle.result()).toEqual({ state: 'succeeded' });
    });
  });

  it('is continued as a new one after a page of items, which goes on with the rest', async () => {
    const size = PAGE_ITEMS + 1;
    const shape = { size, concurrency: PAGE_ITEMS, sharedExec: uuidv7() };
    await runBulk('bulk-continued', shape, async (bulk, handle) => {
      await until(() => bulk.counts.running > 0);
      // Its runs are there already, so none of them tells its end. Several wake-ups may come to one look.
      while (bulk.counts.succeeded < size) {
        const looks = bulk.advances.length;
        const againAt = Date.now() + WAKE_AGAIN_MS;
        await signalUnlessOver(handle, WAKE_SIGNAL);
        await until(() => bulk.advances.length > looks || Date.now() > againAt);
      }
      expect(await handle.result()).toEqual({ state: 'succeeded' });
      const drained = bulk.advances.findIndex(({ begins }) => !begins);
      expect(bulk.advances[drained]?.known).toHaveLength(PAGE_ITEMS);
      const after = bulk.advances.slice(drained);
      expect(after.some(({ begins, known }) => begins && known.length === 0)).toBe(true);
    });
  });

  it('begins and is continued although it is told something each time that it looks', async () => {
    const size = PAGE_ITEMS + 1;
    await runBulk('bulk-continued-while-asked', { size, concurrency: PAGE_ITEMS }, async (bulk, handle) => {
      for (const item of bulk.items) item.end('succeeded');
      // For a pause that has never been, so it changes nothing; but that is seen only when it is looked at.
      bulk.meanwhile = async () => {
        if (bulk.counts.succeeded < size) await handle.signal(RESUME_SIGNAL, { pauseNo: 7 });
      };
      expect(await handle.result()).toEqual({ state: 'succeeded' });
      const [first] = bulk.advances.filter(({ begins, known }) => begins && known.length === 0).slice(1);
      expect(first?.controls).toMatchObject([{ control: 'resume', pauseNo: 7 }]);
    });
  });
});
