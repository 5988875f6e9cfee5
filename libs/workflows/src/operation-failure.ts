import { ActivityFailure, ApplicationFailure, TimeoutFailure } from '@temporalio/workflow';
import type { StageFailureDetail } from '#activities';
import { ERROR_CODES, type ErrorCode, type Failure } from '#domain';

/** How the row of a run ends that did not come about. */
export interface GivenUp {
  readonly state: 'failed' | 'canceled';
  readonly failure: Failure;
}

/** Thrown out of a step whose run was given up: by a signal, by the deadline of its park, by the cap on parks. */
export class AbortedError extends Error {
  override readonly name = 'AbortedError';

  constructor(
    readonly failure: Failure,
    readonly asked: boolean,
  ) {
    super(failure.message);
  }
}

export function endAfter(error: unknown): GivenUp {
  if (error instanceof AbortedError) {
    return { state: error.asked ? 'canceled' : 'failed', failure: error.failure };
  }
  return { state: 'canceled', failure: { code: 'invalid_state', message: 'The run was canceled.' } };
}

export function failureOf(error: unknown): Failure {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  if (cause instanceof ApplicationFailure) return { code: codeOf(cause.type), message: cause.message };
  if (cause instanceof TimeoutFailure) {
    return { code: 'host_lost', message: 'The host did not do this step in time.' };
  }
  return { code: 'internal', message: 'An internal error.' };
}

/** Undefined where nobody was there to say which step of a stage it is of. */
export function stageFailureOf(error: unknown): StageFailureDetail | undefined {
  const cause = error instanceof ActivityFailure ? error.cause : undefined;
  const [detail] = (cause instanceof ApplicationFailure ? cause.details : undefined) ?? [];
  return typeof detail === 'object' && detail !== null && 'step' in detail
    ? (detail as StageFailureDetail)
    : undefined;
}

function codeOf(type: string | null | undefined): ErrorCode {
  return ERROR_CODES.find((code) => code === type) ?? 'internal';
}
