import {
  ActivityFailure,
  ApplicationFailure,
  condition,
  defineSignal,
  isCancellation,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  TimeoutFailure,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import type { ControlActivities } from '#activities';
import { ERROR_CODES, limits, type ErrorCode, type Failure, type Park } from '#domain';
import { OP_STATE, PARK_REASON, PARKED_STEP } from './attributes.js';
import { ABORT_SIGNAL, CONTROL_TASK_QUEUE, operationWorkflowId, RETRY_SIGNAL } from './contract.js';
import type { OperationInput, ParkDecision } from './contract.js';

export const retrySignal = defineSignal<[ParkDecision]>(RETRY_SIGNAL);
export const abortSignal = defineSignal<[ParkDecision]>(ABORT_SIGNAL);

/** Thrown out of a step whose run was aborted, by a signal, by the deadline of its park or by the cap on parks. */
export class AbortedError extends Error {
  override readonly name = 'AbortedError';

  constructor(
    readonly failure: Failure,
    readonly asked: boolean,
  ) {
    super(failure.message);
  }
}

/**
 * The state of one operation's run: which step is parked, and what was decided. A step that fails for good parks the
 * run; a signal that names the step and the number of the park decides it; any other signal is stale and ignored.
 */
export class OperationRun {
  private parkNo = 0;
  private parkedStep: string | undefined;
  private decision: 'retry' | 'abort' | undefined;
  private readonly control = proxyActivities<ControlActivities>({
    taskQueue: CONTROL_TASK_QUEUE,
    startToCloseTimeout: '30s',
  });

  constructor(private readonly input: OperationInput) {
    setHandler(retrySignal, (given) => this.decide(given, 'retry'));
    setHandler(abortSignal, (given) => this.decide(given, 'abort'));
  }

  async step(name: string, attempt: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        if (isCancellation(error)) throw error;
        await this.parked(name, failureOf(error));
      }
    }
  }

  /** Returns to try the step again; throws AbortedError otherwise. */
  private async parked(step: string, failure: Failure): Promise<void> {
    if (this.parkNo >= limits.PARKS_PER_RUN_MAX) throw new AbortedError(failure, false);
    const park = this.newPark(step, failure);
    const answer = await this.control.parkOperation({ operationId: this.input.operationId, park });
    // Its row has ended without it, as when the start of this run came later than anybody waited for: nobody will decide.
    if (answer?.isParked === false) throw new AbortedError(failure, false);
    upsertSearchAttributes([
      { key: OP_STATE, value: 'parked' },
      { key: PARKED_STEP, value: step },
      { key: PARK_REASON, value: failure.code },
    ]);
    setCurrentDetails(parkDetails(this.input, park));
    const decided = await condition(() => this.decision !== undefined, limits.PARK_DEADLINE_MS);
    this.parkedStep = undefined;
    if (!decided || this.decision === 'abort') throw new AbortedError(failure, decided);
    await this.control.resumeOperation({ operationId: this.input.operationId });
    upsertSearchAttributes([
      { key: OP_STATE, value: 'running' },
      { key: PARKED_STEP, value: null },
      { key: PARK_REASON, value: null },
    ]);
    setCurrentDetails('');
  }

  private newPark(step: string, failure: Failure): Park {
    this.parkNo += 1;
    this.parkedStep = step;
    this.decision = undefined;
    const now = Date.now();
    return {
      step,
      parkNo: this.parkNo,
      failure,
      parkedAt: new Date(now).toISOString(),
      deadlineAt: new Date(now + limits.PARK_DEADLINE_MS).toISOString(),
    };
  }

  private decide(given: ParkDecision | undefined, decision: 'retry' | 'abort'): void {
    if (given?.step !== this.parkedStep || given?.parkNo !== this.parkNo) return;
    this.decision ??= decision;
  }
}

function failureOf(error: unknown): Failure {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  if (cause instanceof ApplicationFailure) return { code: codeOf(cause.type), message: cause.message };
  if (cause instanceof TimeoutFailure) {
    return { code: 'host_lost', message: 'The host did not do this step in time.' };
  }
  return { code: 'internal', message: 'An internal error.' };
}

function codeOf(type: string | null | undefined): ErrorCode {
  return ERROR_CODES.find((code) => code === type) ?? 'internal';
}

/** What an engineer reads in the Temporal Web UI at the parked run. */
function parkDetails(input: OperationInput, park: Park): string {
  const body = JSON.stringify({ step: park.step, parkNo: park.parkNo });
  return [
    `**Parked at \`${park.step}\`** (${park.failure.code}): ${park.failure.message}`,
    '',
    `Waits for \`retry\` or \`abort\` until ${park.deadlineAt}, then aborts.`,
    '',
    `- \`berth op retry ${input.operationId}\` or \`berth op abort ${input.operationId}\``,
    `- \`curl -X POST -H "X-Admin-Secret: $BERTH_ADMIN_SECRET" -H "Content-Type: application/json" -d '${body}' $BERTH_URL/v1/operations/${input.operationId}/retry\``,
    `- \`temporal workflow signal --workflow-id ${operationWorkflowId(input.operationId)} --name retry --input '${body}'\``,
  ].join('\n');
}
