import type { ExecState } from './exec.states.js';
import type { StdinSource, TerminalSize } from './exec-input.js';
import type { Failure } from './errors.js';
import type { ExecId, HostId, OwnerId, SandboxId, TenantId } from './ids.js';
import type { OutputState } from './output/output.states.js';
import type { ExitRecord } from './ports/runner.port.js';

/** What the client asked for. Immutable; the hash of it fences an Idempotency-Key. */
export interface ExecRequest {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly workingDirectory: string | null;
  /** `name`, `uid`, each with `:group` or not; null for the user of the sandbox. */
  readonly user: string | null;
  readonly stdin: StdinSource;
  /** The command gets a terminal of this size instead of three streams. */
  readonly tty: TerminalSize | null;
  readonly timeoutSeconds: number;
  /** Without output and input for this long it ends; null for never. */
  readonly idleTimeoutSeconds: number | null;
  readonly queueTimeoutSeconds: number;
  readonly outputBytesMax: number;
  /** Descendants may outlive the main process. */
  readonly allowBackground: boolean;
  /** The client's own words about it, to find it by. */
  readonly labels: Readonly<Record<string, string>>;
}

/** Times are ISO 8601 in UTC. Positions and byte counts are of the framed spool and of the raw streams respectively. */
export interface Exec {
  readonly id: ExecId;
  readonly tenantId: TenantId;
  readonly ownerId: OwnerId;
  readonly sandboxId: SandboxId;
  readonly hostId: HostId;
  /** The container generation that claimed it; null until then. */
  readonly generation: number | null;
  readonly state: ExecState;
  readonly request: ExecRequest;
  readonly requestHash: string;
  readonly outputState: OutputState;
  readonly committedPosition: number;
  readonly stdoutBytes: number;
  readonly stderrBytes: number;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly failure: Failure | null;
  readonly exitRecord: ExitRecord | null;
  readonly evidence: ExecEvidence | null;
  readonly cancelRequestedAt: string | null;
  readonly createdAt: string;
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
}

/** What is known about an end that no exit record proves. */
export interface ExecEvidence {
  readonly lastPosition: number;
  readonly container: string | null;
  readonly runner: string | null;
  readonly note: string;
}

export interface ExecEnd {
  readonly state: Exclude<ExecState, 'queued' | 'starting' | 'running'>;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly failure: Failure | null;
  readonly exitRecord: ExitRecord | null;
  readonly evidence: ExecEvidence | null;
}

/** The end that the process's own exit record proves. Never invents: what the record does not say stays null. */
export function endFromExitRecord(record: ExitRecord): ExecEnd {
  return {
    state: stateFromExitRecord(record),
    // A command that never ran has no exit code, whatever a shell would have said in its place.
    exitCode: record.reason === 'start_failed' ? null : record.exitCode,
    signal: record.signal,
    failure: startFailureOf(record),
    exitRecord: record,
    evidence: null,
  };
}

function stateFromExitRecord(record: ExitRecord): ExecEnd['state'] {
  switch (record.reason) {
    case 'exited':
    case 'sandbox_stopped':
      return record.exitCode === 0 ? 'succeeded' : 'failed';
    case 'timed_out':
    case 'idle_timed_out':
      return 'timed_out';
    case 'canceled':
      return 'canceled';
    case 'output_limited':
      return 'output_limited';
    case 'oom_killed':
      return 'oom_killed';
    case 'start_failed':
      return 'not_started';
  }
}

function startFailureOf(record: ExitRecord): Failure | null {
  if (record.reason !== 'start_failed') return null;
  return {
    code: record.startFailure?.code ?? 'invalid_state',
    message: record.startFailure?.message ?? 'The command could not be started.',
  };
}

/** It may have run; nobody can say how it ended. */
export function lostEnd(evidence: ExecEvidence): ExecEnd {
  return withoutRecord('lost', { code: 'host_lost', message: evidence.note }, evidence);
}

/** The engine saw the whole container run out of memory, and no process was left to say how it ended. */
export function oomKilledEnd(evidence: ExecEvidence): ExecEnd {
  return withoutRecord('oom_killed', { code: 'container_failed', message: evidence.note }, evidence);
}

/** It never ran and may safely be sent again. */
export function notStartedEnd(failure: Failure): ExecEnd {
  return withoutRecord('not_started', failure, null);
}

/** Canceled before the runner had claimed it. */
export function canceledBeforeStartEnd(): ExecEnd {
  return withoutRecord('canceled', null, null);
}

function withoutRecord(
  state: ExecEnd['state'],
  failure: Failure | null,
  evidence: ExecEvidence | null,
): ExecEnd {
  return { state, exitCode: null, signal: null, failure, exitRecord: null, evidence };
}
