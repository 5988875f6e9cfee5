import { Inject, Injectable } from '@nestjs/common';
import {
  BULK_HAS_ENDED,
  bulkId,
  DomainError,
  limits,
  parseBulkId,
  type Bulk,
  type BulkControl,
  type BulkItem,
  type BulkStore,
  type Page,
  type SelectedSandboxes,
} from '#domain';
import type { Call } from '../http/call.js';
import { present } from '../http/inputs.js';
import { idFor, requestHashOf } from '../http/request-identity.js';
import { BULK_STORE } from '../tokens.js';
import { LongPoll } from '../waiting/long-poll.js';
import { BulkLauncher } from './bulk-launcher.js';
import { concurrencyOf, sandboxIdsOf, selectionOf, workOf } from './bulk-request.js';
import {
  delayMsOf,
  type BulkBody,
  type BulkItemsQuery,
  type BulksQuery,
  type RetryFailedBody,
} from './bulk.input.js';

@Injectable()
export class BulkService {
  constructor(
    @Inject(BULK_STORE) private readonly bulks: BulkStore,
    @Inject(BulkLauncher) private readonly launcher: BulkLauncher,
    @Inject(LongPoll) private readonly longPoll: LongPoll,
  ) {}

  async create(call: Call, body: BulkBody): Promise<{ bulk: Bulk; replayed: boolean }> {
    const { row, created } = await this.bulks.create({
      id: bulkId(idFor(call, 'bulk')),
      tenantId: call.principal.tenantId,
      work: workOf(body),
      selection: selectionOf(body),
      concurrencyMax: concurrencyOf(body),
      delayMs: delayMsOf(body.delaySeconds ?? 0),
      failureBudget: body.failureBudget ?? null,
      requestHash: requestHashOf(body),
    });
    if (row.state === 'pending') await this.launcher.launch(row);
    return { bulk: row, replayed: !created };
  }

  async select(call: Call, body: BulkBody): Promise<SelectedSandboxes> {
    // What cannot be done is refused as it would be.
    workOf(body);
    return await this.bulks.select(call.principal.tenantId, selectionOf(body), limits.BULK_DRY_RUN_SHOWN_MAX);
  }

  /** A paused one ends the wait too: it is the client's turn to decide. */
  async get(call: Call, id: string, wait?: number): Promise<Bulk> {
    const known = parseBulkId(id);
    if (known === undefined) throw noSuchBulk();
    return await this.longPoll.until(
      call,
      wait,
      `bulk:${known}`,
      async () => {
        const bulk = await this.bulks.find(call.principal.tenantId, known);
        if (!bulk) throw noSuchBulk();
        return bulk;
      },
      ({ state }) => state === 'paused' || BULK_HAS_ENDED[state],
    );
  }

  async list(call: Call, query: BulksQuery): Promise<Page<Bulk>> {
    return await this.bulks.list(call.principal.tenantId, pageOf(query));
  }

  async items(call: Call, id: string, query: BulkItemsQuery): Promise<Page<BulkItem>> {
    const bulk = await this.get(call, id, 0);
    return await this.bulks.items(bulk.id, pageOf(query));
  }

  async retryFailed(call: Call, id: string, { round, sandboxIds }: RetryFailedBody): Promise<Bulk> {
    const some = sandboxIds === undefined ? {} : { sandboxIds: sandboxIdsOf(sandboxIds) };
    return await this.control(call, id, { control: 'retry_failed', round, ...some });
  }

  async control(call: Call, id: string, asked: BulkControl): Promise<Bulk> {
    const known = await this.get(call, id, 0);
    const { bulk, decision } = await this.bulks.control(known.id, asked);
    if (decision === 'refused' || decision === 'stale') throw refused(bulk, asked, decision);
    if (decision === 'apply') await this.launcher.wake(bulk);
    return bulk;
  }
}

const pageOf = <Query extends { limit?: number | undefined }>({ limit, ...query }: Query) => ({
  ...present(query),
  limit: limit ?? limits.PAGE_SIZE_DEFAULT,
});

function refused(
  { state, round, pauseNo }: Bulk,
  { control }: BulkControl,
  decision: 'refused' | 'stale',
): DomainError {
  const message =
    decision === 'refused'
      ? `A bulk operation that is ${state} takes no ${control}.`
      : `The ${control} is for another pause or round of this bulk operation.`;
  return new DomainError('invalid_state', message, { extra: { state, round, pauseNo } });
}

const noSuchBulk = (): DomainError => new DomainError('not_found', 'There is no such bulk operation.');
