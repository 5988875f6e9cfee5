import { DomainError, type ErrorCode } from '#domain';

/**
 * What the runner's refusals mean to us. Only what can never get better by asking again is `runner_protocol` or
 * `spool_corrupt`, because those end an exec as lost.
 */
const CODE_BY_RUNNER_CODE: Readonly<Record<string, ErrorCode>> = {
  bad_request: 'bad_request',
  protocol_unsupported: 'runner_protocol',
  protocol_violation: 'runner_protocol',
  unknown_exec: 'not_found',
  still_running: 'invalid_state',
  position_trimmed: 'position_invalid',
  position_invalid: 'position_invalid',
  too_many_follows: 'dependency_unavailable',
  resource_exhausted: 'dependency_unavailable',
  disk_full: 'disk_pressure',
  spool_corrupt: 'spool_corrupt',
  stopping: 'runner_unreachable',
  not_running: 'invalid_state',
  input_not_open: 'invalid_state',
  read_only: 'invalid_state',
  internal: 'runner_unreachable',
};

/** The runner answered a request with a refusal. `extra.runnerCode` keeps its own word for it. */
export function refusedBy(runnerCode: string, message: string): DomainError {
  return new DomainError(
    CODE_BY_RUNNER_CODE[runnerCode] ?? 'runner_protocol',
    `The runner refused: ${message}`,
    {
      detail: `${runnerCode}: ${message}`,
      extra: { runnerCode },
    },
  );
}

export function unreachable(message: string, cause?: unknown): DomainError {
  return new DomainError('runner_unreachable', message, cause === undefined ? {} : { cause });
}

export function brokenProtocol(message: string): DomainError {
  return new DomainError('runner_protocol', message);
}

/** The sandbox was started by an older version, and its runner with it. Before the start of a command nothing is lost by it. */
export function olderRunner(): DomainError {
  return new DomainError(
    'bad_request',
    'The runner of this sandbox is too old for standard input, terminals and signals: restart the sandbox.',
  );
}
