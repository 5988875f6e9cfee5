import {
  BULK_ACTIONS,
  BULK_CONTROLS,
  BULK_ITEM_STATES,
  type Bulk,
  type BulkId,
  type BulkItem,
  type Page,
  type SandboxSelector,
  type SelectedSandboxes,
} from '#domain';
import { z } from 'zod';
import { Failure, links, pageOf, TierNameText, timestamp } from '../http/resources.js';
import { SandboxView, sandboxView } from '../sandboxes/sandbox.view.js';
import { BulkItemStateName, BulkStateName, delaySecondsOf } from './bulk.input.js';

const Counts = z.record(BulkItemStateName, z.int());

export const BulkView = z
  .object({
    id: z.string(),
    owner: z
      .string()
      .nullable()
      .meta({ description: 'Of all of its sandboxes; null where they are of several.' }),
    action: z.enum(BULK_ACTIONS),
    state: BulkStateName,
    selector: z
      .object({
        owner: z.array(z.string()).optional(),
        name: z.array(z.string()).optional(),
        tier: z.array(TierNameText).optional(),
        state: z.array(z.string()).optional(),
        image: z.array(z.string()).optional(),
        host: z.array(z.string()).optional(),
        label: z.record(z.string(), z.string()).optional(),
      })
      .nullable()
      .meta({ description: 'Null where the sandboxes were named.' }),
    maxConcurrency: z.int(),
    delaySeconds: z.number(),
    failureBudget: z.int().nullable(),
    round: z.int().meta({ description: 'Raised by each retry-failed.' }),
    pause: z
      .object({
        pauseNo: z.int(),
        reason: Failure.nullable().meta({ description: 'Null where somebody asked for it.' }),
        pausedAt: timestamp,
        deadlineAt: timestamp.meta({ description: 'Then it is canceled.' }),
      })
      .nullable(),
    failure: Failure.nullable(),
    total: z.int(),
    counts: Counts,
    createdAt: timestamp,
    startedAt: timestamp.nullable(),
    finishedAt: timestamp.nullable(),
    actions: z.array(z.enum(['pause', 'resume', 'cancel', 'retry-failed'])),
    links,
  })
  .meta({ id: 'BulkOperation' });
export type BulkView = z.infer<typeof BulkView>;

export const BulkPage = pageOf(BulkView, 'BulkOperationPage');

export const BulkItemView = z
  .object({
    number: z.int(),
    sandboxId: z.string(),
    owner: z.string(),
    state: BulkItemStateName,
    phase: z
      .string()
      .nullable()
      .meta({ description: 'The step of its operation, or the state of its exec.' }),
    attempts: z.int(),
    failure: Failure.nullable(),
    operationId: z.string().nullable(),
    execId: z.string().nullable(),
    startedAt: timestamp.nullable(),
    finishedAt: timestamp.nullable(),
    links,
  })
  .meta({ id: 'BulkItem' });

export const BulkItemPage = pageOf(BulkItemView, 'BulkItemPage');

export const BulkDryRun = z
  .object({
    dryRun: z.literal(true),
    total: z.int(),
    sandboxes: z
      .array(SandboxView)
      .meta({ description: 'The first of them, in the order in which they would begin.' }),
  })
  .meta({ id: 'BulkDryRun' });

export function bulkView(bulk: Bulk): BulkView {
  const self = `/v1/bulk-operations/${bulk.id}`;
  return {
    id: bulk.id,
    owner: bulk.ownerId,
    action: bulk.work.action,
    state: bulk.state,
    selector: bulk.selector && selectorView(bulk.selector),
    maxConcurrency: bulk.concurrencyMax,
    delaySeconds: delaySecondsOf(bulk.delayMs),
    failureBudget: bulk.failureBudget,
    round: bulk.round,
    pause: bulk.pause,
    failure: bulk.failure,
    total: BULK_ITEM_STATES.reduce((sum, name) => sum + bulk.counts[name], 0),
    counts: { ...bulk.counts },
    createdAt: bulk.createdAt,
    startedAt: bulk.startedAt,
    finishedAt: bulk.finishedAt,
    actions: BULK_CONTROLS[bulk.state].map((name) => (name === 'retry_failed' ? 'retry-failed' : name)),
    links: { self, items: `${self}/items`, events: '/v1/ws' },
  };
}

function selectorView(selector: SandboxSelector): NonNullable<BulkView['selector']> {
  const lists = Object.entries(selector).map(([name, value]) => [
    name,
    Array.isArray(value) ? [...value] : value,
  ]);
  return Object.fromEntries(lists);
}

export const bulkPage = (page: Page<Bulk>): z.infer<typeof BulkPage> => ({
  items: page.items.map(bulkView),
  nextCursor: page.nextCursor,
});

export const bulkItemPage = (page: Page<BulkItem>): z.infer<typeof BulkItemPage> => ({
  items: page.items.map(itemView),
  nextCursor: page.nextCursor,
});

function itemView({ ownerId, ...item }: BulkItem): z.infer<typeof BulkItemView> {
  return {
    ...item,
    owner: ownerId,
    links: {
      sandbox: `/v1/sandboxes/${item.sandboxId}`,
      ...(item.operationId === null ? {} : { operation: `/v1/operations/${item.operationId}` }),
      ...(item.execId === null ? {} : { exec: `/v1/execs/${item.execId}` }),
    },
  };
}

export const dryRunView = ({ total, sandboxes }: SelectedSandboxes): z.infer<typeof BulkDryRun> => ({
  dryRun: true,
  total,
  sandboxes: sandboxes.map(sandboxView),
});

export const bulkPath = (id: BulkId): string => `/v1/bulk-operations/${id}`;
