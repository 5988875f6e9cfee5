import { call, insist } from './api-client.js';

export interface BulkBody {
  readonly id: string;
  readonly state: string;
  readonly total: number;
  readonly round: number;
  readonly counts: Readonly<
    Record<'pending' | 'running' | 'succeeded' | 'failed' | 'skipped_busy' | 'canceled', number>
  >;
}

export interface BulkItemBody {
  readonly number: number;
  readonly sandboxId: string;
  readonly state: string;
  readonly attempts: number;
  readonly operationId: string | null;
  readonly links: Readonly<Record<string, string>>;
}

const GIVE_UP_AFTER_MS = 120_000;
const LOOK_MS = 50;

export async function bulk(body: object, key?: string): Promise<BulkBody> {
  const answer = await insist<BulkBody>('POST', '/v1/bulk-operations', {
    body,
    ...(key === undefined ? {} : { headers: { 'idempotency-key': key } }),
  });
  if (answer.status !== 202) throw new Error(`It answered ${answer.status}: ${JSON.stringify(answer.body)}`);
  return answer.body;
}

/** Once it has ended, or is paused and waits for somebody. */
export async function decided(id: string): Promise<BulkBody> {
  return await untilBulk(id, ({ state }) => ['paused', 'succeeded', 'failed', 'canceled'].includes(state));
}

export async function untilBulk(id: string, isSo: (body: BulkBody) => boolean): Promise<BulkBody> {
  const giveUpAt = Date.now() + GIVE_UP_AFTER_MS;
  for (;;) {
    const { body } = await insist<BulkBody>('GET', `/v1/bulk-operations/${id}`);
    if (isSo(body)) return body;
    if (Date.now() > giveUpAt) throw new Error(`The bulk operation stays ${JSON.stringify(body)}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

export async function itemsOf(id: string, state?: string): Promise<BulkItemBody[]> {
  const query = `limit=200${state === undefined ? '' : `&state=${state}`}`;
  const { body } = await call<{ items: BulkItemBody[] }>('GET', `/v1/bulk-operations/${id}/items?${query}`);
  return body.items;
}
