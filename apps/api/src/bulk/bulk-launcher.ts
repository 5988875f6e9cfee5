import { Inject, Injectable } from '@nestjs/common';
import { failureFrom, type Bulk, type BulkStore, type WakeSender, type WorkflowStarter } from '#domain';
import type { Logger } from 'pino';
import { BULK_STORE, LOGGER, WAKE_SENDER, WORKFLOWS } from '../tokens.js';

/** Row first, then Workflow: wakes the run of a bulk operation whose row is committed, or starts it. */
@Injectable()
export class BulkLauncher {
  constructor(
    @Inject(BULK_STORE) private readonly bulks: BulkStore,
    @Inject(WORKFLOWS) private readonly workflows: WorkflowStarter,
    @Inject(WAKE_SENDER) private readonly wakes: WakeSender,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  /**
   * Waking a run twice is waking it once, so a repeated request may call this again. One whose run has not looked at it yet
   * ends, so that nothing begins that its client was told of as refused: a run that comes later finds it ended.
   */
  async launch(bulk: Bulk): Promise<void> {
    try {
      await this.workflows.wakeBulk(bulk);
    } catch (error) {
      if (await this.bulks.withdraw(bulk.id, failureFrom(error))) throw error;
    }
    this.wakes.wake(`bulk:${bulk.id}`);
  }

  /** What was asked of one that is there is on its row; the sweep wakes its run where this does not. */
  async wake(bulk: Bulk): Promise<void> {
    this.wakes.wake(`bulk:${bulk.id}`);
    try {
      await this.workflows.wakeBulk(bulk);
    } catch (error) {
      this.log.warn({ bulkId: bulk.id, err: error }, 'The sweep will wake the run of this bulk operation.');
    }
  }
}
