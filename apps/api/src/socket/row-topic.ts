import {
  BULK_HAS_ENDED,
  DomainError,
  isDomainError,
  isTerminal,
  limits,
  OPERATION_TRANSITIONS,
  parseBulkId,
  parseOperationId,
  parseSandboxId,
  SANDBOX_TRANSITIONS,
  type Topic,
} from '#domain';
import { bulkView } from '../bulk/bulk.view.js';
import { canonicalJson } from '../http/request-identity.js';
import { operationView } from '../operations/operation.view.js';
import { sandboxView } from '../sandboxes/sandbox.view.js';
import { WakeUps } from '../waiting/wake-ups.js';
import type { OpenedTopic, Subscription, TopicSources } from './subscription.js';

/** A row as its subscribers see it. */
interface Seen {
  readonly state: string;
  readonly ended: boolean;
  readonly shown: object;
}

export async function openSandboxTopic(
  sources: TopicSources,
  subscription: Subscription,
): Promise<OpenedTopic> {
  const id = parseSandboxId(subscription.topicId);
  return await openRowTopic(sources, subscription, 'sandbox', async () => {
    const row = id && (await sources.sandboxes.find(subscription.tenantId, id));
    if (!row) return undefined;
    const ended = isTerminal(SANDBOX_TRANSITIONS, row.observedState);
    return { state: row.observedState, ended, shown: { sandbox: sandboxView(row) } };
  });
}

export async function openOperationTopic(
  sources: TopicSources,
  subscription: Subscription,
): Promise<OpenedTopic> {
  const id = parseOperationId(subscription.topicId);
  return await openRowTopic(sources, subscription, 'operation', async () => {
    const row = id && (await sources.operations.find(subscription.tenantId, id));
    if (!row) return undefined;
    const ended = isTerminal(OPERATION_TRANSITIONS, row.state);
    return { state: row.state, ended, shown: { operation: operationView(row) } };
  });
}

export async function openBulkTopic(sources: TopicSources, subscription: Subscription): Promise<OpenedTopic> {
  const id = parseBulkId(subscription.topicId);
  return await openRowTopic(sources, subscription, 'bulk', async () => {
    const row = id && (await sources.bulks.find(subscription.tenantId, id));
    if (!row) return undefined;
    return { state: row.state, ended: BULK_HAS_ENDED[row.state], shown: { bulkOperation: bulkView(row) } };
  });
}

/** The row as it is, and again after each change. Changes that follow each other quickly may be seen as one. */
async function openRowTopic(
  { receiver }: TopicSources,
  subscription: Subscription,
  kind: 'sandbox' | 'operation' | 'bulk',
  load: () => Promise<Seen | undefined>,
): Promise<OpenedTopic> {
  const { request, topicId } = subscription;
  if (request.after !== 0) {
    throw new DomainError('position_invalid', 'This topic has no positions.', { pointer: '/after' });
  }
  const first = await load();
  if (!first) throw new DomainError('not_found', `There is no such ${NAMES[kind]}.`);
  const topic: Topic = `${kind}:${topicId}`;
  return {
    ack: { position: 0, state: first.state },
    run: async () => {
      const wakeUps = new WakeUps(receiver, topic);
      try {
        await sendChanges(subscription, wakeUps, load);
      } finally {
        wakeUps.close();
      }
    },
  };
}

const NAMES = { sandbox: 'sandbox', operation: 'operation', bulk: 'bulk operation' } as const;

async function sendChanges(
  subscription: Subscription,
  wakeUps: WakeUps,
  load: () => Promise<Seen | undefined>,
): Promise<void> {
  const { request, outbox, signal } = subscription;
  let before = '';
  while (!signal.aborted) {
    const seen = await seenNow(subscription, load);
    const now = seen === undefined ? before : canonicalJson(seen.shown);
    if (seen && now !== before) {
      await outbox.room();
      const event = { id: request.id, state: seen.state, ...seen.shown };
      if (!seen.ended) outbox.send({ t: 'ev', kind: 'state', ...event });
      else outbox.send({ t: 'end', ...event });
      if (seen.ended) return;
    }
    before = now;
    await wakeUps.next(limits.READER_POLL_MS, signal);
  }
}

/** Undefined while the database is away: the next look comes by itself. */
async function seenNow(
  subscription: Subscription,
  load: () => Promise<Seen | undefined>,
): Promise<Seen | undefined> {
  try {
    const seen = await load();
    if (!seen) throw new DomainError('not_found', 'It is not there any more.');
    return seen;
  } catch (error) {
    if (!isDomainError(error, 'dependency_unavailable')) throw error;
    subscription.onOutage(error);
    return undefined;
  }
}
