import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { beforeAll, describe, expect, it } from '@jest/globals';
import {
  call,
  ended,
  insist,
  output,
  run,
  sandboxOf,
  startExec,
  type Answer,
  type ExecBody,
} from '../api-client.js';
import { Steadiness } from './api-process.js';

const TEST_TIMEOUT_MS = 240_000;
const STORM = 1_000;
/** The connections of a storm stay open for a while, for requests that may come. */
const DESCRIPTORS_MAX = 2 * STORM;
/** Of the worker: far fewer than one for each exec. */
const WORKER_DESCRIPTORS_MAX = STORM / 2;
/** Of the tier `small`. */
const RUNNING_MAX = 32;
const QUEUED_MAX = 500;
/** For what is cached of the runs that were last, whose number has a limit: less than a whole MiB for each of the storm. */
const GROWTH_BYTES_MAX = STORM * 524_288;
/** Of one request, where its connection breaks. */
const TRIES_MAX = 3;
const ALL_ENDED_MS_MAX = 180_000;

let stormed: string;
let neighbour: string;

beforeAll(async () => {
  const owner = `storm-${randomUUID().slice(0, 8)}`;
  const { body } = await insist<{ sandbox: { id: string } }>('POST', '/v1/sandboxes?wait=60', {
    body: { owner, tier: 'small' },
  });
  stormed = body.sandbox.id;
  neighbour = await sandboxOf(`calm-${randomUUID().slice(0, 8)}`);
}, TEST_TIMEOUT_MS);

/** Under a key, so that a connection that is lost in the storm is tried again, as every client does. */
async function post(command: string): Promise<Answer<ExecBody>> {
  const request = { body: { command }, headers: { 'idempotency-key': randomUUID() } };
  for (let triesLeft = TRIES_MAX; ; triesLeft -= 1) {
    try {
      return await call<ExecBody>('POST', `/v1/sandboxes/${stormed}/execs`, request);
    } catch (error) {
      if (triesLeft === 1) throw error;
    }
  }
}

async function countOf(state: string): Promise<number> {
  const { body } = await insist<{ items: ExecBody[] }>(
    'GET',
    `/v1/sandboxes/${stormed}/execs?state=${state}&limit=200`,
  );
  return body.items.length;
}

describe('a thousand execs at once in one sandbox', () => {
  it(
    'run or wait in their order, or are refused with the time to wait; next door commands run',
    async () => {
      const [api, worker] = [new Steadiness('api'), new Steadiness('worker')];
      const answers = Promise.all(
        Array.from({ length: STORM }, async () => await post('echo x >> order; sleep 0.5')),
      );
      for (let n = 0; n < 5; n += 1) {
        expect(await run(neighbour, { command: 'true' })).toMatchObject({ state: 'succeeded' });
      }
      const taken = (await answers).filter(({ status }) => status === 202);
      const refused = (await answers).filter(({ status }) => status === 429);
      // A machine that is too slow for it says so, and has not run what it says that of.
      const shed = (await answers).filter(({ status }) => status === 503);
      for (const { body } of shed) expect(body).toMatchObject({ code: 'dependency_unavailable' });
      expect(taken.length + refused.length + shed.length).toBe(STORM);
      expect(taken.length + shed.length).toBeGreaterThanOrEqual(QUEUED_MAX);
      for (const { headers, body } of refused) {
        expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
        expect(body).toMatchObject({ code: 'queue_full' });
      }
      expect(await countOf('running')).toBeLessThanOrEqual(RUNNING_MAX);

      const giveUpAt = Date.now() + ALL_ENDED_MS_MAX;
      while ((await countOf('queued')) + (await countOf('starting')) + (await countOf('running')) > 0) {
        if (Date.now() > giveUpAt) throw new Error('The storm is not over in time.');
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
      const ends = await Promise.all(taken.map(async ({ body }) => (await ended(body.id)).state));
      expect(new Set(ends)).toEqual(new Set(['succeeded']));
      const lines = await run(stormed, { command: 'wc -l < order' });
      expect(Number((await output(lines.id)).toString())).toBe(taken.length);
      await Promise.all([
        api.hold(GROWTH_BYTES_MAX, DESCRIPTORS_MAX),
        worker.hold(GROWTH_BYTES_MAX, WORKER_DESCRIPTORS_MAX),
      ]);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'start in the order in which they came, whose places they are shown',
    async () => {
      const ids: string[] = [];
      const blockers = await Promise.all(
        Array.from(
          { length: RUNNING_MAX },
          async () => (await startExec(stormed, { command: 'sleep 600' })).id,
        ),
      );
      for (let n = 0; n < 10; n += 1) ids.push((await startExec(stormed, { command: `echo ${n}` })).id);
      const places = async (): Promise<unknown[]> =>
        await Promise.all(
          ids.map(async (id) => (await insist<ExecBody>('GET', `/v1/execs/${id}`)).body['queuePosition']),
        );
      while (
        !isDeepStrictEqual(
          await places(),
          ids.map((_, n) => n + 1),
        )
      )
        await new Promise((resolve) => setTimeout(resolve, 200));
      // One place, through which they go one after the other.
      await insist('POST', `/v1/execs/${blockers.pop()}/cancel`);
      const order = (await Promise.all(ids.map(async (id) => await ended(id)))).map(
        ({ startedAt }) => startedAt as string,
      );
      expect(order).toEqual(order.toSorted());
      for (const blocker of blockers) await insist('POST', `/v1/execs/${blocker}/cancel`);
      await Promise.all(blockers.map(async (id) => await ended(id)));
    },
    TEST_TIMEOUT_MS,
  );
});
