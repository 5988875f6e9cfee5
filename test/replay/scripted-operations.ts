import { ApplicationFailure } from '@temporalio/common';
import { Context } from '@temporalio/activity';
import type { WorkflowHandle } from '@temporalio/client';
import { v7 as uuidv7 } from 'uuid';
import type { Script } from './scripted-worker.js';
import {
  hostId,
  OPERATION_PLANS,
  operationId,
  ownerId,
  planOperation,
  sandboxId,
  tenantId,
  type OperationKind,
  type StepName,
  type StepRecord,
  type Undo,
} from '#domain';
import {
  CONTROL_TASK_QUEUE,
  OPERATION_WORKFLOWS,
  operationWorkflowId,
  type OperationInput,
} from '#workflows/contract';
import type { TestNamespace } from '../stack/temporal-namespace.js';
import { SCRIPTED_HOST } from './scripted-worker.js';

type Task = StepName | Undo;

export const KINDS = Object.keys(OPERATION_PLANS) as OperationKind[];
export const stepsOf = (kind: OperationKind): StepName[] => planOperation(kind, {}).map(({ step }) => step);

/** One run, what it called, and what a test has it meet. */
export class ScriptedRun {
  readonly calls: string[] = [];
  /** How often each task still fails, each time for good. */
  readonly failures = new Map<Task, number>();
  /** False once the row of the operation has ended otherwise. */
  holds = true;
  readonly id = operationId(uuidv7());
  private parks = 0;
  private readonly waiting: (() => void)[] = [];

  constructor(private readonly namespace: TestNamespace) {}

  async start(kind: OperationKind, input: Partial<OperationInput> = {}): Promise<WorkflowHandle> {
    return await this.namespace.client.workflow.start(OPERATION_WORKFLOWS[kind], {
      workflowId: operationWorkflowId(this.id),
      taskQueue: CONTROL_TASK_QUEUE,
      args: [
        {
          operationId: this.id,
          tenantId: tenantId('default'),
          ownerId: ownerId('u1'),
          sandboxId: sandboxId(uuidv7()),
          hostId: hostId(SCRIPTED_HOST),
          ...input,
        } satisfies OperationInput,
      ],
    });
  }

  /** Resolves when the run has parked so often. */
  async parked(times = 1): Promise<void> {
    while (this.parks < times) await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  /** Calls without the repeated attempts of one task. */
  call(name: string, task?: Task): void {
    if (Context.current().info.attempt === 1) this.calls.push(name);
    const left = task === undefined ? 0 : (this.failures.get(task) ?? 0);
    if (task === undefined || left === 0) return;
    this.failures.set(task, left - 1);
    throw ApplicationFailure.nonRetryable(`No ${task}.`, 'container_failed');
  }

  /** As a step of a stage, whose failure says which one it was. */
  callWithin(name: StepName, done: readonly StepRecord[]): StepRecord {
    const at = new Date().toISOString();
    try {
      this.call(name, name);
    } catch (error) {
      const { message, type } = error as ApplicationFailure;
      throw ApplicationFailure.nonRetryable(message, type, { step: name, done });
    }
    return { name, state: 'succeeded', attempts: 1, startedAt: at, finishedAt: at, failure: null };
  }

  notePark(): void {
    this.parks += 1;
    for (const wake of this.waiting.splice(0)) wake();
  }
}

/** Activities for any number of runs at once: each run meets what its own script says. */
export class ScriptedRuns {
  private readonly runs = new Map<string, ScriptedRun>();

  constructor(private readonly namespace: () => TestNamespace) {}

  add(failures: Partial<Record<Task, number>> = {}): ScriptedRun {
    const run = new ScriptedRun(this.namespace());
    for (const [task, times] of Object.entries(failures)) run.failures.set(task as Task, times);
    this.runs.set(run.id, run);
    return run;
  }

  get activities(): Partial<Script> {
    const tasks = [...new Set(KINDS.flatMap(tasksOf))];
    const steps = tasks.map((task) => [
      activityOf(task),
      async ({ operationId: id }: OperationInput) => this.of(id).call(task, task),
    ]);
    return {
      ...(Object.fromEntries(steps) as Partial<Script>),
      doStage: async ({ operationId: id, steps: staged }) => {
        const done: StepRecord[] = [];
        for (const step of staged) done.push(this.of(id).callWithin(step, done));
        return done;
      },
      parkOperation: async ({ operationId: id, park }) => {
        const run = this.of(id);
        run.call(`park:${park.step}:${park.parkNo}`);
        run.notePark();
        return { isParked: run.holds };
      },
      resumeOperation: async ({ operationId: id, correction = {} }) => {
        const corrected = Object.keys(correction).length > 0 ? `:${JSON.stringify(correction)}` : '';
        this.of(id).call(`resume${corrected}`);
        return this.of(id).holds;
      },
      endOperation: async ({ operationId: id, state, failure }) => {
        this.of(id).call(`end:${state}:${failure.message}`);
      },
    };
  }

  private of(id: string): ScriptedRun {
    const run = this.runs.get(id);
    if (!run) throw new TypeError(`Nobody scripted the run ${id}.`);
    return run;
  }
}

const tasksOf = (kind: OperationKind): Task[] =>
  OPERATION_PLANS[kind].flatMap(({ step, undo }) => (undo === null ? [step] : [step, undo]));

/** `hold_queue` is done by `holdQueue`. */
function activityOf(task: Task): string {
  return task.replaceAll(/_(\w)/g, (_match, letter: string) => letter.toUpperCase());
}
