import {
  execId,
  hostId,
  NO_HEALTH,
  operationId,
  ownerId,
  sandboxId,
  tenantId,
  type Chunk,
  type DueRestart,
  type Exec,
  type Operation,
  type Sandbox,
  workspaceId,
  limits,
} from '#domain';
import type { ExecChunkEntity } from '../entities/exec-chunk.entity.js';
import type { ExecEntity } from '../entities/exec.entity.js';
import type { OperationEntity } from '../entities/operation.entity.js';
import type { SandboxEntity } from '../entities/sandbox.entity.js';

/** Those that count still, by the clock of the rows. */
const RECENT_RESTARTS = `(SELECT coalesce(jsonb_agg(r), '[]') FROM jsonb_array_elements_text(s.restarts) r
  WHERE r::timestamptz > now() - interval '${limits.RESTART_WINDOW_MS} milliseconds')`;

/** Column lists in the property names of the entities, so that a row of plain SQL has the shape of its entity. */
export const SANDBOX_COLUMNS = `s.id, s.tenant_id AS "tenantId", s.owner_id AS "ownerId", s.name, s.image, s.tier, s.labels,
  s.host_id AS "hostId", s.generation, s.operation_id AS "operationId", s.desired_state AS "desiredState",
  s.observed_state AS "observedState", s.container_id AS "containerId", s.failure,
  s.restart_policy AS "restartPolicy", s.idle_stop_seconds AS "idleStopSeconds",
  s.settings_version AS "settingsVersion", ${RECENT_RESTARTS} AS restarts, s.restart_due_at AS "restartDueAt",
  s.restart_cause AS "restartCause", s.health_check AS "healthCheck", s.health, s.created_at AS "createdAt",
  s.updated_at AS "updatedAt", s.workspace_id AS "workspaceId", s.workspace_made AS "workspaceMade",
  s.snapshot_on_restart AS "snapshotOnRestart"`;

export const OPERATION_COLUMNS = `o.id, o.tenant_id AS "tenantId", o.owner_id AS "ownerId",
  o.sandbox_id AS "sandboxId", o.host_id AS "hostId", o.kind, o.options, o.parks, o.took_over AS "tookOver", o.state, o.steps, o.park, o.failure, o.result,
  o.request_hash AS "requestHash", o.created_at AS "createdAt", o.started_at AS "startedAt",
  o.finished_at AS "finishedAt"`;

/** An exec without what was asked for, which may be large and may hold secrets. */
export const EXEC_COURSE_COLUMNS = `e.id, e.tenant_id AS "tenantId", e.owner_id AS "ownerId",
  e.sandbox_id AS "sandboxId", e.host_id AS "hostId", e.generation, e.state, e.output_state AS "outputState",
  e.committed_position AS "committedPosition", e.stdout_bytes AS "stdoutBytes", e.stderr_bytes AS "stderrBytes",
  e.exit_code AS "exitCode", e.signal, e.failure, e.exit_record AS "exitRecord", e.evidence,
  e.cancel_requested_at AS "cancelRequestedAt", e.created_at AS "createdAt", e.started_at AS "startedAt",
  e.finished_at AS "finishedAt"`;

export const EXEC_COLUMNS = `${EXEC_COURSE_COLUMNS}, e.request, e.request_hash AS "requestHash"`;

export const CHUNK_COLUMNS = `c.position, c.end_position AS "endPosition", c.stdout_from AS "stdoutFrom",
  c.stdout_to AS "stdoutTo", c.stderr_from AS "stderrFrom", c.stderr_to AS "stderrTo", c.frames`;

export type SandboxRow = Omit<SandboxEntity, 'idleDueAt' | 'healthDueAt' | 'usedUntil'>;
export type OperationRow = OperationEntity;
export type ExecRow = Omit<ExecEntity, 'inlineStdin'>;
export type ExecCourseRow = Omit<ExecRow, 'request' | 'requestHash'>;
export type ChunkRow = Omit<ExecChunkEntity, 'execId' | 'tenantId' | 'ownerId'>;

export function sandboxFrom(row: SandboxRow): Sandbox {
  return {
    id: sandboxId(row.id),
    tenantId: tenantId(row.tenantId),
    ownerId: ownerId(row.ownerId),
    name: row.name,
    image: row.image,
    tier: row.tier,
    labels: row.labels,
    hostId: hostId(row.hostId),
    generation: row.generation,
    operationId: row.operationId === null ? null : operationId(row.operationId),
    desiredState: row.desiredState,
    observedState: row.observedState,
    containerId: row.containerId,
    workspaceId: row.workspaceId === null ? null : workspaceId(row.workspaceId),
    workspaceMade: row.workspaceMade,
    snapshotOnRestart: row.snapshotOnRestart,
    failure: row.failure,
    healthCheck: row.healthCheck,
    health: row.health ?? NO_HEALTH,
    restartPolicy: row.restartPolicy,
    idleStopSeconds: row.idleStopSeconds,
    settingsVersion: row.settingsVersion,
    restarts: row.restarts,
    restartDue: dueRestartFrom(row),
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
  };
}

export function operationFrom(row: OperationRow): Operation {
  return {
    id: operationId(row.id),
    tenantId: tenantId(row.tenantId),
    ownerId: ownerId(row.ownerId),
    sandboxId: sandboxId(row.sandboxId),
    hostId: hostId(row.hostId),
    kind: row.kind,
    options: row.options,
    parks: row.parks,
    tookOver: row.tookOver,
    state: row.state,
    steps: row.steps,
    park: row.park,
    failure: row.failure,
    result: row.result,
    createdAt: row.createdAt.toISOString(),
    startedAt: isoOrNull(row.startedAt),
    finishedAt: isoOrNull(row.finishedAt),
  };
}

/** What a request was before it could say so. */
const ABSENT_IN_OLD_ROWS = {
  labels: {},
  user: null,
  stdin: { kind: 'none' },
  tty: null,
  idleTimeoutSeconds: null,
  allowBackground: false,
} as const;

export function execFrom(row: ExecRow): Exec {
  return {
    ...execCourseFrom(row),
    request: { ...ABSENT_IN_OLD_ROWS, ...row.request },
    requestHash: row.requestHash,
  };
}

export function execCourseFrom(row: ExecCourseRow): Omit<Exec, 'request' | 'requestHash'> {
  return {
    id: execId(row.id),
    tenantId: tenantId(row.tenantId),
    ownerId: ownerId(row.ownerId),
    sandboxId: sandboxId(row.sandboxId),
    hostId: hostId(row.hostId),
    generation: row.generation,
    state: row.state,
    outputState: row.outputState,
    committedPosition: row.committedPosition,
    stdoutBytes: row.stdoutBytes,
    stderrBytes: row.stderrBytes,
    exitCode: row.exitCode,
    signal: row.signal,
    failure: row.failure,
    exitRecord: row.exitRecord,
    evidence: row.evidence,
    cancelRequestedAt: isoOrNull(row.cancelRequestedAt),
    createdAt: row.createdAt.toISOString(),
    startedAt: isoOrNull(row.startedAt),
    finishedAt: isoOrNull(row.finishedAt),
  };
}

export function chunkFrom(row: ChunkRow): Chunk {
  return {
    position: row.position,
    endPosition: row.endPosition,
    stdoutFrom: row.stdoutFrom,
    stdoutTo: row.stdoutTo,
    stderrFrom: row.stderrFrom,
    stderrTo: row.stderrTo,
    frames: row.frames,
  };
}

function dueRestartFrom({ restartDueAt, restartCause }: SandboxRow): DueRestart | null {
  if (restartDueAt === null || restartCause === null) return null;
  return { at: restartDueAt.toISOString(), cause: restartCause };
}

export function isoOrNull(time: Date | null): string | null {
  return time === null ? null : time.toISOString();
}

/** JSON that jsonb takes: it refuses a null character and half of a surrogate pair, which text of a sandbox may hold. */
export const jsonOf = (value: unknown): string => JSON.stringify(value, storable);

export const json = (value: unknown): string | null => (value === null ? null : jsonOf(value));

const storable = (_name: string, value: unknown): unknown =>
  typeof value === 'string' ? value.replaceAll('\u0000', '').toWellFormed() : value;
