import {
  CancellationScope,
  condition,
  defineSignal,
  getExternalWorkflowHandle,
  isCancellation,
  log,
  patched,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import {
  correctionOf,
  isGitKind,
  limits,
  planOperation,
  stagesOf,
  stepBegun,
  stepEnded,
  stepsKnown,
  undosOf,
  type Correction,
  type Failure,
  type OperationKind,
  type Park,
  type PlannedStep,
  type Stage,
  type StepName,
  type StepRecord,
  type TakenOver,
  type Undo,
} from '#domain';
import { OP_STATE, PARK_REASON, PARKED_STEP } from './attributes.js';
import { ABORT_SIGNAL, CANCEL_SIGNAL, operationWorkflowId, RETRY_SIGNAL } from './contract.js';
import type { OperationInput, OperationResult, ParkDecision } from './contract.js';
import { AbortedError, endAfter, failureOf, stageFailureOf, type GivenUp } from './operation-failure.js';
import { controlActivities, doStage, stepActivities, undoActivities } from './operation-steps.js';
import { detailsOf } from './run-details.js';

export const retrySignal = defineSignal<[ParkDecision]>(RETRY_SIGNAL);
export const abortSignal = defineSignal<[ParkDecision]>(ABORT_SIGNAL);
export const cancelOperationSignal = defineSignal(CANCEL_SIGNAL);

/** Runs of starts that began before this do not undo. */
const UNDO_OF_STARTS = 'undo-of-starts';
/** Restarts that began before this took their snapshot while execs went on. */
const EXECS_END_BEFORE_A_SNAPSHOT = 'execs-end-before-a-snapshot';
/** Runs that began before this went back to their Workflow after each step. */
const STAGES = 'stages';

/**
 * The plan of one operation from its first step to its end. A step that fails for good parks the run, or ends it where it
 * must not park; a run that is given up undoes what it began. It does nothing more once its row has ended otherwise.
 */
export async function runOperation(kind: OperationKind, input: OperationInput): Promise<OperationResult> {
  const run = new OperationRun(input, isGitKind(kind));
  if (input.tookOver) await endParkedRun(input.tookOver);
  const plan = planOf(kind, input);
  const doStep = stepActivities(input);
  try {
    for (const stage of inStages(plan)) {
      const [{ step, undo }, ...more] = stage;
      if (more.length > 0) await run.stage(stage.map((one) => one.step));
      else await run.step(step, doStep[step], undo !== null);
    }
  } catch (error) {
    const undos = undosOf(plan, run.begun);
    return await CancellationScope.nonCancellable(() => run.giveUp(endAfter(error), kind, undos));
  }
  return run.ended('succeeded');
}

/** In the plan of a run from before there was that step, all others are as they are. */
function planOf(kind: OperationKind, { options = {} }: OperationInput): readonly PlannedStep[] {
  const plan = planOperation(kind, options);
  const isNew = ({ step }: PlannedStep): boolean => step === 'end_execs';
  if (!plan.some(isNew) || patched(EXECS_END_BEFORE_A_SNAPSHOT)) return plan;
  return plan.filter((planned) => !isNew(planned));
}

/** One turn for each stage; runs from before there were stages take one for each step. */
function inStages(plan: readonly PlannedStep[]): readonly Stage[] {
  const stages = stagesOf(plan);
  if (!stages.some(({ length }) => length > 1) || patched(STAGES)) return stages;
  return plan.map((planned) => [planned]);
}

/** The run whose sandbox this one has taken: its row has ended, so all that is left is to wake it. */
async function endParkedRun({ operationId, step, parkNo }: TakenOver): Promise<void> {
  try {
    await getExternalWorkflowHandle(operationWorkflowId(operationId)).signal(abortSignal, { step, parkNo });
  } catch (error) {
    if (isCancellation(error)) throw error;
    log.info('The run that was parked is gone.', { operationId });
  }
}

/**
 * The state of one operation's run: which step is parked, and what was decided. A signal that names the step and the
 * number of the park decides it; any other signal is stale and ignored.
 */
class OperationRun {
  /** Steps of the plan that may have had an effect. */
  begun = 0;
  private parkNo = 0;
  private park: Park | undefined;
  private decision: 'retry' | 'abort' | undefined;
  private correction: Correction = {};
  private steps: readonly StepRecord[] = [];
  private cancelAsked = false;
  /** The step that is being done, where it may be broken off. */
  private breakable: CancellationScope | undefined;
  private readonly control = controlActivities();
  private readonly ref: Pick<OperationInput, 'operationId' | 'sandboxId'>;

  constructor(
    private readonly input: OperationInput,
    mayBeCanceled: boolean,
  ) {
    this.ref = { operationId: input.operationId, sandboxId: input.sandboxId };
    setHandler(retrySignal, (given) => this.decide(given, 'retry'));
    setHandler(abortSignal, (given) => this.decide(given, 'abort'));
    if (mayBeCanceled) setHandler(cancelOperationSignal, () => this.cancel());
  }

  /** One that cannot be undone is not broken off either: it is done in a moment. */
  async step(name: string, attempt: () => Promise<void>, isBreakable: boolean): Promise<void> {
    this.begun += 1;
    for (;;) {
      if (isBreakable && this.cancelAsked) throw new AbortedError(CANCELED, true);
      this.note(stepBegun(this.steps, name, now()));
      try {
        await (isBreakable ? this.breakably(attempt) : attempt());
        this.note(stepEnded(this.steps, name, now(), null));
        return;
      } catch (error) {
        if (isCancellation(error)) throw this.cancelAsked ? new AbortedError(CANCELED, true) : error;
        const failure = failureOf(error);
        this.note(stepEnded(this.steps, name, now(), failure));
        await this.parked(name, failure);
      }
    }
  }

  /** Goes on from the step that failed. Where nobody could say which that was, any of them may have begun. */
  async stage(steps: readonly StepName[]): Promise<void> {
    const end = this.begun + steps.length;
    let left = steps;
    for (;;) {
      this.begun = end;
      const [first = ''] = left;
      this.note(stepBegun(this.steps, first, now()));
      try {
        this.note(stepsKnown(this.steps, await doStage(this.input, left)));
        return;
      } catch (error) {
        if (isCancellation(error)) throw error;
        const { step: failed, done = [] } = stageFailureOf(error) ?? {};
        if (failed !== undefined && left.includes(failed)) {
          left = left.slice(left.indexOf(failed));
          this.begun = end - left.length + 1;
        }
        const [name = ''] = left;
        const failure = failureOf(error);
        const before = name === first ? this.steps : stepBegun(stepsKnown(this.steps, done), name, now());
        this.note(stepEnded(before, name, now(), failure));
        await this.parked(name, failure);
      }
    }
  }

  private async breakably(attempt: () => Promise<void>): Promise<void> {
    this.breakable = new CancellationScope();
    try {
      await this.breakable.run(attempt);
    } finally {
      this.breakable = undefined;
    }
  }

  private cancel(): void {
    this.cancelAsked = true;
    this.breakable?.cancel();
  }

  /** Undoes what was begun, unless the operation no longer holds its sandbox, and ends its row. */
  async giveUp(end: GivenUp, kind: OperationKind, undos: readonly Undo[]): Promise<OperationResult> {
    if (kind === 'start' && !patched(UNDO_OF_STARTS)) {
      await this.control.endStart({ ...this.ref, ...end });
      return this.ended(end.state);
    }
    const holds = await this.control.resumeOperation(this.ref);
    if (holds === false) return this.ended('canceled');
    const undone = await this.undo(undos, end);
    await this.control.endOperation({ ...this.ref, ...undone });
    return this.ended(undone.state);
  }

  ended(state: 'succeeded' | GivenUp['state']): OperationResult {
    upsertSearchAttributes([{ key: OP_STATE, value: state }]);
    return { state };
  }

  /** An undo that fails does not keep the others from being done; it is told, and the next look at the engine corrects the row. */
  private async undo(undos: readonly Undo[], end: GivenUp): Promise<GivenUp> {
    const undo = undoActivities(this.input);
    let undone = end;
    for (const name of undos) {
      this.note(stepBegun(this.steps, name, now()));
      try {
        await undo[name]();
        this.note(stepEnded(this.steps, name, now(), null));
      } catch (error) {
        const { code, message } = failureOf(error);
        this.note(stepEnded(this.steps, name, now(), { code, message }));
        const told = `${undone.failure.message} Undoing it failed at ${name}: ${message}`;
        undone = { state: 'failed', failure: { code: undone.failure.code, message: told } };
      }
    }
    return undone;
  }

  /** Returns to try the step again; throws AbortedError otherwise. */
  private async parked(step: string, failure: Failure): Promise<void> {
    const mayPark = this.input.parks !== false && this.parkNo < limits.PARKS_PER_RUN_MAX;
    if (!mayPark) throw new AbortedError(failure, false);
    const park = this.newPark(step, failure);
    const answer = await this.control.parkOperation({ operationId: this.input.operationId, park });
    // Its row has ended without it, as when the start of this run came later than anybody waited for: nobody will decide.
    if (answer?.isParked === false) throw new AbortedError(failure, false);
    upsertSearchAttributes([
      { key: OP_STATE, value: 'parked' },
      { key: PARKED_STEP, value: step },
      { key: PARK_REASON, value: failure.code },
    ]);
    const decided = await condition(() => this.decision !== undefined, this.parkDeadlineMs);
    this.park = undefined;
    this.note(this.steps);
    if (!decided || this.decision === 'abort') throw new AbortedError(failure, decided);
    const resumed = await this.control.resumeOperation({ ...this.ref, correction: this.correction });
    if (resumed === false) throw new AbortedError(failure, true);
    upsertSearchAttributes([
      { key: OP_STATE, value: 'running' },
      { key: PARKED_STEP, value: null },
      { key: PARK_REASON, value: null },
    ]);
  }

  private get parkDeadlineMs(): number {
    return this.input.parkDeadlineMs ?? limits.PARK_DEADLINE_MS;
  }

  private newPark(step: string, failure: Failure): Park {
    this.parkNo += 1;
    this.decision = undefined;
    const parkedAt = now();
    const deadlineAt = new Date(Date.now() + this.parkDeadlineMs).toISOString();
    this.park = { step, parkNo: this.parkNo, failure, parkedAt, deadlineAt };
    this.note(this.steps);
    return this.park;
  }

  private decide(given: ParkDecision | undefined, decision: 'retry' | 'abort'): void {
    if (this.park === undefined) return;
    if (given?.step !== this.park.step || given.parkNo !== this.park.parkNo) return;
    const correction = correctionOf(given.step, decision === 'retry' ? given.input : undefined);
    if (this.decision !== undefined || correction === undefined) return;
    this.decision = decision;
    this.correction = correction;
  }

  /** Details are read by a query, so they cost the run nothing. */
  private note(steps: readonly StepRecord[]): void {
    this.steps = steps;
    setCurrentDetails(detailsOf(this.input.operationId, steps, this.park));
  }
}

const CANCELED: Failure = { code: 'invalid_state', message: 'The run was canceled.' };

const now = (): string => new Date(Date.now()).toISOString();
