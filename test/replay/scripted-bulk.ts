import type { WorkflowHandle } from '@temporalio/client';
import { v7 as uuidv7 } from 'uuid';
import type { AdvanceBulkInput, BulkItemWork, BulkProgress } from '#activities';
import {
  BULK_ITEM_STATES,
  bulkId,
  controlled,
  decideControl,
  endOfBulk,
  execId,
  hostId,
  ownerId,
  sandboxId,
  tenantId,
  type BulkCounts,
  type BulkItemState,
  type BulkPause,
  type BulkState,
} from '#domain';
import { BULK_WORKFLOW, bulkWorkflowId, CONTROL_TASK_QUEUE, type BulkInput } from '#workflows/contract';
import type { TestNamespace } from '../stack/temporal-namespace.js';
import { SCRIPTED_HOST, type BulkScript } from './scripted-worker.js';

const TENANT = tenantId('default');
const FAR_MS = 3_600_000;
const TIMEOUT_SECONDS = 60;
/** Of one run. */
export const PAGE_ITEMS = 6;

type Outcome = 'succeeded' | 'failed';

/** One item, which ends when the test says so. */
class ScriptedItem {
  readonly id = uuidv7();
  state: BulkItemState = 'pending';
  private resolve: (outcome: Outcome) => void = () => undefined;
  readonly outcome = new Promise<Outcome>((resolve) => (this.resolve = resolve));

  end(outcome: Outcome): void {
    this.resolve(outcome);
  }
}

export interface BulkShape {
  readonly size: number;
  readonly concurrency: number;
  /** All of them by one exec, whose run is there after the first time; each has ended at the next look. */
  readonly sharedExec?: string;
}

/** Activities for any number of bulk operations at once. */
export class ScriptedBulks {
  private readonly bulks: ScriptedBulk[] = [];

  add(shape: BulkShape): ScriptedBulk {
    const bulk = new ScriptedBulk(shape);
    this.bulks.push(bulk);
    return bulk;
  }

  get activities(): BulkScript {
    return {
      advanceBulk: async (input) => {
        const bulk = this.that(({ id }) => id === input.bulkId);
        await bulk.meanwhile();
        return bulk.advance(input);
      },
      runExec: async ({ execId: id }) => {
        const state = await this.that((bulk) => bulk.runs(id)).runExec(id);
        return { kind: 'ended', state, exitCode: 0 };
      },
    };
  }

  private that(isMeant: (bulk: ScriptedBulk) => boolean): ScriptedBulk {
    const found = this.bulks.find(isMeant);
    if (!found) throw new TypeError('Nobody scripted this bulk operation.');
    return found;
  }
}

/** The rows of a bulk operation in memory, as its run sees them. Its items are execs. */
export class ScriptedBulk {
  readonly id = bulkId(uuidv7());
  readonly items: ScriptedItem[];
  readonly advances: AdvanceBulkInput[] = [];
  /** How many items had succeeded at the latest look. */
  seenSucceeded = 0;
  state: BulkState = 'running';
  round = 1;
  pauseNo = 0;
  pause: BulkPause | null = null;
  /** What happens each time that its run looks at it, before it sees anything. */
  meanwhile: () => Promise<unknown> = () => Promise.resolve();

  constructor(private readonly shape: BulkShape) {
    this.items = Array.from({ length: shape.size }, () => new ScriptedItem());
  }

  async start(namespace: TestNamespace): Promise<WorkflowHandle> {
    const input: BulkInput = { bulkId: this.id, tenantId: TENANT, action: 'exec', pageItems: PAGE_ITEMS };
    return await namespace.client.workflow.start(BULK_WORKFLOW, {
      workflowId: bulkWorkflowId(this.id),
      taskQueue: CONTROL_TASK_QUEUE,
      args: [input],
    });
  }

  async runExec(id: string): Promise<Outcome> {
    if (id === this.shape.sharedExec) return 'succeeded';
    const item = this.items.find((one) => one.id === id);
    if (!item) throw new TypeError(`Nobody scripted the item ${id}.`);
    item.state = await item.outcome;
    return item.state;
  }

  runs(id: string): boolean {
    return id === this.shape.sharedExec || this.items.some((item) => item.id === id);
  }

  get counts(): BulkCounts {
    const count = (state: BulkItemState) => this.items.filter((item) => item.state === state).length;
    return Object.fromEntries(
      BULK_ITEM_STATES.map((state) => [state, count(state)]),
    ) as unknown as BulkCounts;
  }

  advance(input: AdvanceBulkInput): BulkProgress {
    this.advances.push(input);
    this.seenSucceeded = this.counts.succeeded;
    for (const asked of input.controls) {
      if (decideControl(this, asked) !== 'apply') continue;
      const { state, pauseNo, pause } = controlled(this, asked, Date.now());
      Object.assign(this, { state, pauseNo, pause });
      if (asked.control === 'cancel') this.change('pending', 'canceled');
      if (asked.control !== 'retry_failed') continue;
      this.round += 1;
      this.items.forEach((item, at) => {
        if (item.state === 'failed') this.items[at] = new ScriptedItem();
      });
    }
    if (this.shape.sharedExec !== undefined) this.change('running', 'succeeded');
    if (this.state === 'running' && input.begins) {
      const room = this.shape.concurrency - this.counts.running;
      const next = this.items.filter(({ state }) => state === 'pending').slice(0, room);
      for (const item of next) item.state = 'running';
    }
    this.state = endOfBulk(this.state, this.counts) ?? this.state;
    const running = this.items.filter(({ state }) => state === 'running').map(({ id }) => id);
    return {
      state: this.state,
      counts: this.counts,
      round: this.round,
      pauseNo: this.pauseNo,
      pause: this.pause,
      running,
      unknown: running
        .filter((id) => !input.known.includes(id))
        .map((id) => workOf(id, this.shape.sharedExec)),
      waitMs: null,
    };
  }

  private change(from: BulkItemState, to: BulkItemState): void {
    for (const item of this.items) if (item.state === from) item.state = to;
  }
}

function workOf(id: string, sharedExec = id): BulkItemWork {
  const exec = {
    execId: execId(sharedExec),
    tenantId: TENANT,
    ownerId: ownerId('u1'),
    sandboxId: sandboxId(uuidv7()),
    hostId: hostId(SCRIPTED_HOST),
    queueDeadlineMs: Date.now() + FAR_MS,
    timeoutSeconds: TIMEOUT_SECONDS,
  };
  return { id, operation: null, exec };
}
