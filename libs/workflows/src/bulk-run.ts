import {
  ChildWorkflowCancellationType,
  condition,
  log,
  ParentClosePolicy,
  proxyActivities,
  setCurrentDetails,
  startChild,
  uuid4,
  workflowInfo,
  WorkflowIdReusePolicy,
} from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import type { BulkActivities, BulkItemWork, BulkProgress } from '#activities';
import { controlOf, limits, type BulkControl } from '#domain';
import { attributesOf, BULK_ID, summaryOf } from './attributes.js';
import { bulkDetailsOf } from './bulk-details.js';
import {
  CONTROL_TASK_QUEUE,
  EXEC_WORKFLOW,
  execWorkflowId,
  OPERATION_WORKFLOWS,
  operationWorkflowId,
  type BulkInput,
  type ExecInput,
  type OperationInput,
} from './contract.js';

/** A child tells its end by itself; the end of a run that was there already is found on its row. */
const RECHECK_MS = 30_000;
const RECHECK_UNFOLLOWED_MS = 5_000;
/** The sweep looks for rows without a run after a while: until then it should know which have one. */
const REPORT_STARTS_MS = 3_000;

/** What the run of a bulk operation follows. The rows say what there is to do. */
export class BulkRun {
  private readonly activities = proxyActivities<BulkActivities>({
    taskQueue: CONTROL_TASK_QUEUE,
    startToCloseTimeout: '60s',
    heartbeatTimeout: '12s',
    retry: { initialInterval: '500ms', maximumInterval: '10s' },
  });
  private controls: BulkControl[];
  private woken = false;
  private pauseNo: number;
  private begun = 0;
  /** Runs of which it is not known yet whether they are there. */
  private starting = 0;
  private startFailure: { readonly error: unknown } | undefined;
  private drainUntilMs: number | undefined;
  /** What is under way, by id; false where its run was not started here, so that nobody tells its end. */
  private readonly followed = new Map<string, boolean>();
  private started: BulkItemWork[] = [];

  constructor(private readonly input: BulkInput) {
    this.controls = [...(input.rest?.controls ?? [])];
    this.pauseNo = input.rest?.pauseNo ?? 0;
  }

  /** For the run that goes on with the rest. */
  get next(): BulkInput {
    const { input, controls, pauseNo } = this;
    return { ...input, rest: { controls, pauseNo } };
  }

  wake(): void {
    this.woken = true;
  }

  ask(control: BulkControl['control'], given?: unknown): void {
    const asked = controlOf(control, given, { pauseNo: this.pauseNo });
    if (asked === undefined) log.info('A signal made no sense.', { control });
    else this.controls.push({ ...asked, id: uuid4() });
    this.wake();
  }

  get isWoken(): boolean {
    return this.woken;
  }

  /** Something was asked for since the rows were last looked at. */
  get isAsked(): boolean {
    return this.controls.length > 0;
  }

  /** It has begun as much as one run should, and nothing of it is under way or it has waited long enough. */
  get isPageDone(): boolean {
    if (this.drainUntilMs === undefined) return false;
    const isDrained = this.followed.size === 0 || Date.now() >= this.drainUntilMs;
    return isDrained && this.starting === 0;
  }

  async advance(): Promise<BulkProgress> {
    if (this.startFailure) throw this.startFailure.error;
    this.woken = false;
    const { controls, started } = this;
    this.controls = [];
    this.started = [];
    const progress = await this.activities.advanceBulk({
      bulkId: this.input.bulkId,
      controls,
      begins: this.drainUntilMs === undefined,
      known: [...this.followed.keys()],
      started: {
        operationIds: started.flatMap(({ operation }) => operation?.input.operationId ?? []),
        execIds: started.flatMap(({ exec }) => exec?.execId ?? []),
      },
    });
    this.pauseNo = progress.pauseNo;
    const running = new Set(progress.running);
    for (const id of this.followed.keys()) if (!running.has(id)) this.followed.delete(id);
    setCurrentDetails(bulkDetailsOf(this.input, progress));
    return progress;
  }

  /** Does not wait for them: one that is slow to start must not keep the others from being followed by the next ones. */
  startRuns(works: readonly BulkItemWork[]): void {
    for (const work of works) {
      this.starting += 1;
      this.start(work)
        .catch((error: unknown) => (this.startFailure ??= { error }))
        .finally(() => {
          this.starting -= 1;
          const isAwaited = this.drainUntilMs !== undefined || this.startFailure !== undefined;
          if (this.starting === 0 && isAwaited) this.wake();
        });
    }
    this.begun += works.length;
    if (this.begun >= this.input.pageItems || workflowInfo().continueAsNewSuggested) {
      this.drainUntilMs ??= Date.now() + limits.BULK_DRAIN_MS_MAX;
    }
  }

  async untilNext({ waitMs, pause, running }: BulkProgress): Promise<void> {
    const isUnfollowed = [...this.followed.values()].includes(false);
    const waits = [
      ...(waitMs === null || this.drainUntilMs !== undefined ? [] : [waitMs]),
      ...(this.starting + this.started.length > 0 ? [REPORT_STARTS_MS] : []),
      ...(running.length > 0 ? [isUnfollowed ? RECHECK_UNFOLLOWED_MS : RECHECK_MS] : []),
      ...(pause === null ? [] : [Date.parse(pause.deadlineAt) - Date.now()]),
      ...(this.drainUntilMs === undefined ? [] : [this.drainUntilMs - Date.now()]),
    ];
    const ms = waits.length === 0 ? RECHECK_MS : Math.min(...waits);
    if (ms > 0) await condition(() => this.woken, ms);
  }

  private async start(work: BulkItemWork): Promise<void> {
    const { id, operation, exec } = work;
    const tellEnd = (): void => {
      if (this.followed.has(id)) this.wake();
    };
    this.followed.set(id, true);
    if (operation) {
      const { kind, input } = operation;
      const run = { input, kind, state: 'running' };
      const workflowId = operationWorkflowId(input.operationId);
      // Where it is the start that an exec needs, the item ends with the exec.
      const onEnd = exec ? (): void => undefined : tellEnd;
      this.followed.set(id, await this.startRun(OPERATION_WORKFLOWS[kind], workflowId, run, onEnd));
    }
    if (exec) {
      const run = { input: exec, kind: 'exec' };
      this.followed.set(id, await this.startRun(EXEC_WORKFLOW, execWorkflowId(exec.execId), run, tellEnd));
    }
    this.started.push(work);
  }

  /** False where there is one already: the sweep has started it, or a run of this bulk operation before this one. */
  private async startRun(
    type: string,
    workflowId: string,
    { input, kind, state }: { input: OperationInput | ExecInput; kind: string; state?: string },
    onEnd: () => void,
  ): Promise<boolean> {
    try {
      const child = await startChild(type, {
        workflowId,
        workflowIdReusePolicy: WorkflowIdReusePolicy.REJECT_DUPLICATE,
        parentClosePolicy: ParentClosePolicy.ABANDON,
        cancellationType: ChildWorkflowCancellationType.ABANDON,
        args: [input],
        typedSearchAttributes: [
          ...attributesOf(input, kind, state),
          { key: BULK_ID, value: this.input.bulkId },
        ],
        staticSummary: summaryOf(input, kind),
      });
      child.result().then(onEnd, onEnd);
      return true;
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      return false;
    }
  }
}
