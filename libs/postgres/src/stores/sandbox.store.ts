import {
  DEFAULT_SETTINGS,
  DomainError,
  settingsAfter,
  type Failure,
  type HostId,
  type NewOperation,
  type NewSandbox,
  type Operation,
  type OperationId,
  type OperationRequest,
  type OwnerId,
  type Page,
  type RequestedOperation,
  type Sandbox,
  type SandboxDesiredState,
  type SandboxId,
  type SandboxStore,
  type SandboxWithStart,
  type SettingsChange,
  type TenantId,
  TOUCHING_KINDS,
} from '#domain';
import type { Database, SqlRunner } from '../database.js';
import { Conditions, cursorAt, pageOf } from './page.js';
import {
  ensureNeeded,
  firstOperation,
  keyReused,
  LIVE,
  refuseOtherRequest,
  requestInTransaction,
  withdrawInTransaction,
} from './operation-requests.js';
import { changeByOperation } from './sandbox-by-operation.js';
import { json, SANDBOX_COLUMNS, sandboxFrom, type SandboxRow, jsonOf } from './rows.js';
import { configure, DUE_IN, noteUse, recordHealth, takeDueChecks } from './sandbox-care.js';
import { beginIdleStop, beginRestart } from './unasked-operations.js';

type Corrected = Parameters<SandboxStore['correctByOperation']>;
type Switched = Parameters<SandboxStore['switchWorkspace']>;

export class PostgresSandboxStore implements SandboxStore {
  constructor(private readonly database: Database) {}

  async ensureStarted(sandbox: NewSandbox, start: NewOperation): Promise<SandboxWithStart> {
    return await this.database.transaction(async (sql) => {
      await refuseOtherRequest(sql, start);
      const settings = settingsAfter(DEFAULT_SETTINGS, sandbox.settings ?? {});
      const created = await sql<{ id: string }>(
        `INSERT INTO sandboxes (id, tenant_id, owner_id, name, image, tier, host_id, restart_policy, idle_stop_seconds, health_check,
           snapshot_on_restart, labels, desired_state, observed_state)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'running', 'none') ON CONFLICT DO NOTHING RETURNING id`,
        [
          sandbox.id,
          sandbox.tenantId,
          sandbox.ownerId,
          sandbox.name,
          sandbox.image,
          sandbox.tier,
          sandbox.hostId,
          settings.restartPolicy,
          settings.idleStopSeconds,
          json(settings.healthCheck),
          settings.snapshotOnRestart,
          jsonOf(sandbox.labels ?? {}),
        ],
      );
      const [row] = await sql<SandboxRow>(
        `SELECT ${SANDBOX_COLUMNS} FROM sandboxes s
         WHERE s.tenant_id = $1 AND s.owner_id = $2 AND s.name = $3 AND s.observed_state <> 'deleted' FOR UPDATE`,
        [sandbox.tenantId, sandbox.ownerId, sandbox.name],
      );
      if (!row) throw keyReused();
      const needed = await firstOperation(sql, sandboxFrom(row), start, created.length > 0);
      const { created: operationCreated, ...rest } = needed;
      return { ...rest, operationCreated, sandboxCreated: created.length > 0 };
    });
  }

  async ensureStartedById(
    tenantId: TenantId,
    id: SandboxId,
    start: Pick<NewOperation, 'id' | 'requestHash'>,
  ): Promise<SandboxWithStart> {
    return await this.database.transaction(async (sql) => {
      await refuseOtherRequest(sql, start);
      const sandbox = await locked(sql, tenantId, id);
      const { created: operationCreated, ...needed } = await ensureNeeded(sql, sandbox, start);
      return { ...needed, operationCreated, sandboxCreated: false };
    });
  }

  async requestOperation(
    tenantId: TenantId,
    id: SandboxId,
    request: OperationRequest,
  ): Promise<RequestedOperation> {
    return await this.database.transaction(async (sql) => {
      await refuseOtherRequest(sql, request);
      return await requestInTransaction(sql, await locked(sql, tenantId, id), request);
    });
  }

  async withdrawOperation(id: OperationId, failure: Failure): Promise<boolean> {
    return await this.database.transaction((sql) => withdrawInTransaction(sql, id, failure));
  }

  async find(tenantId: TenantId, id: SandboxId): Promise<Sandbox | undefined> {
    const [row] = await this.database.query<SandboxRow>(
      `SELECT ${SANDBOX_COLUMNS} FROM sandboxes s WHERE s.tenant_id = $1 AND s.id = $2`,
      [tenantId, id],
    );
    return row && sandboxFrom(row);
  }

  async findByName(tenantId: TenantId, ownerId: OwnerId, name: string): Promise<Sandbox | undefined> {
    const [row] = await this.database.query<SandboxRow>(
      `SELECT ${SANDBOX_COLUMNS} FROM sandboxes s
       WHERE s.tenant_id = $1 AND s.owner_id = $2 AND s.name = $3 AND s.observed_state <> 'deleted'`,
      [tenantId, ownerId, name],
    );
    return row && sandboxFrom(row);
  }

  async list(tenantId: TenantId, query: Parameters<SandboxStore['list']>[1]): Promise<Page<Sandbox>> {
    const conditions = new Conditions()
      .equal('s.tenant_id', tenantId)
      .equal('s.owner_id', query.ownerId)
      .holds('s.labels', query.labels)
      .before('s', query.cursor);
    const limit = conditions.parameter(query.limit + 1);
    const rows = await this.database.query<SandboxRow & { cursorAt: string }>(
      `SELECT ${SANDBOX_COLUMNS}, ${cursorAt('s')} FROM sandboxes s WHERE ${conditions.where}
       ORDER BY s.created_at DESC, s.id DESC LIMIT ${limit}`,
      conditions.parameters,
    );
    return pageOf(rows, query.limit, sandboxFrom);
  }

  async get(id: SandboxId): Promise<Sandbox> {
    const [row] = await this.database.query<SandboxRow>(
      `SELECT ${SANDBOX_COLUMNS} FROM sandboxes s WHERE s.id = $1`,
      [id],
    );
    if (!row) throw notFound();
    return sandboxFrom(row);
  }

  async listOnHost(hostId: HostId): Promise<Sandbox[]> {
    const rows = await this.database.query<SandboxRow>(
      `SELECT ${SANDBOX_COLUMNS} FROM sandboxes s WHERE s.host_id = $1 AND s.observed_state <> 'deleted'`,
      [hostId],
    );
    return rows.map(sandboxFrom);
  }

  async raiseGeneration(id: SandboxId, operationId: OperationId): Promise<number> {
    return await this.database.transaction(async (sql) => {
      const [row] = await sql<SandboxRow>(
        `SELECT ${SANDBOX_COLUMNS} FROM sandboxes s
         WHERE s.id = $1 AND EXISTS (SELECT 1 FROM operations o WHERE o.id = $2 AND o.sandbox_id = s.id AND o.state IN ${LIVE})
         FOR UPDATE`,
        [id, operationId],
      );
      if (!row) throw new DomainError('invalid_state', 'The operation no longer holds the sandbox.');
      if (row.operationId === operationId) return row.generation;
      const [raised] = await sql<{ generation: number }>(
        `UPDATE sandboxes SET generation = generation + 1, operation_id = $2, observed_state = 'starting',
           container_id = NULL, restart_due_at = NULL, restart_cause = NULL, idle_due_at = NULL, health = NULL, health_due_at = NULL,
           updated_at = now() WHERE id = $1 RETURNING generation`,
        [id, operationId],
      );
      return raised?.generation ?? row.generation + 1;
    });
  }

  async observeByOperation(
    id: SandboxId,
    operationId: OperationId,
    seen: Parameters<SandboxStore['observeByOperation']>[2],
  ): Promise<boolean> {
    const rows = await this.database.query(
      `UPDATE sandboxes s SET observed_state = $4, container_id = $5, failure = $6,
         health = CASE WHEN $4 IN ('running', 'starting', 'stopping') THEN s.health END,
         desired_state = coalesce($7, s.desired_state), updated_at = now()
       WHERE s.id = $1 AND s.generation = $3 AND s.observed_state <> 'deleted'
         AND EXISTS (SELECT 1 FROM operations o WHERE o.id = $2 AND o.sandbox_id = s.id AND o.state IN ${LIVE})
       RETURNING s.id`,
      [
        id,
        operationId,
        seen.generation,
        seen.observedState,
        seen.containerId,
        json(seen.failure),
        seen.desiredState ?? null,
      ],
    );
    return rows.length > 0;
  }

  async correctByOperation(...[id, operationId, correction]: Corrected): Promise<boolean> {
    const change = `image = coalesce($3, s.image), tier = coalesce($4, s.tier), workspace_made = s.workspace_made AND $5`;
    const values = [correction.image ?? null, correction.tier ?? null, correction.workspace !== 'empty'];
    return await changeByOperation(this.database, { id, operationId, change, values });
  }

  async recordWorkspace(id: SandboxId, operationId: OperationId): Promise<boolean> {
    const change = 'workspace_made = true';
    return await changeByOperation(this.database, { id, operationId, change });
  }

  async switchWorkspace(...[id, operationId, workspaceId]: Switched): Promise<boolean> {
    const change = 'workspace_made = true, workspace_id = $3';
    return await changeByOperation(this.database, { id, operationId, change, values: [workspaceId] });
  }

  async observeDrift(id: SandboxId, seen: Parameters<SandboxStore['observeDrift']>[1]): Promise<boolean> {
    const rows = await this.database.query(
      `UPDATE sandboxes s SET observed_state = $3, failure = $4, restart_due_at = ${DUE_IN('$6')}, restart_cause = $7,
         health = CASE WHEN $3 = 'running' THEN s.health END, updated_at = now()
       WHERE s.id = $1 AND s.generation = $2 AND s.observed_state NOT IN ('deleted', $3)
         AND ($5::text IS NULL OR date_trunc('milliseconds', s.updated_at) = $5::timestamptz)
         AND NOT EXISTS (SELECT 1 FROM operations o
           WHERE o.sandbox_id = s.id AND o.state IN ${LIVE} AND o.kind = ANY($8))
       RETURNING s.id`,
      [
        id,
        seen.generation,
        seen.observedState,
        json(seen.failure),
        seen.unchangedSince ?? null,
        seen.restart?.delayMs ?? null,
        seen.restart?.cause ?? null,
        TOUCHING_KINDS,
      ],
    );
    return rows.length > 0;
  }

  async configure(
    tenantId: TenantId,
    id: SandboxId,
    change: SettingsChange,
    ifVersion?: number,
  ): Promise<Sandbox> {
    return await this.database.transaction(async (sql) => {
      const sandbox = await locked(sql, tenantId, id);
      return await configure(sql, sandbox, change, ifVersion);
    });
  }

  async takeDueChecks(hostId: HostId, limit: number): Promise<Sandbox[]> {
    return await takeDueChecks(this.database.query.bind(this.database), hostId, limit);
  }

  async recordHealth(
    id: SandboxId,
    seen: Parameters<SandboxStore['recordHealth']>[1],
    holder: OperationId | null,
  ): Promise<boolean> {
    return await recordHealth(this.database.query.bind(this.database), id, seen, holder);
  }

  async beginRestart(id: SandboxId, operationId: OperationId): Promise<Operation | undefined> {
    return await this.database.transaction((sql) => beginRestart(sql, id, operationId));
  }

  async forgiveRestarts(id: SandboxId, operationId: OperationId): Promise<void> {
    await changeByOperation(this.database, { id, operationId, change: `restarts = '[]'` });
  }

  async beginIdleStop(id: SandboxId, operationId: OperationId): Promise<Operation | undefined> {
    return await this.database.transaction((sql) => beginIdleStop(sql, id, operationId));
  }

  async noteUse(...used: Parameters<SandboxStore['noteUse']>): Promise<SandboxId[]> {
    return await noteUse(this.database.query.bind(this.database), ...used);
  }

  async setDesired(id: SandboxId, desired: SandboxDesiredState): Promise<void> {
    await this.database.query(`UPDATE sandboxes SET desired_state = $2, updated_at = now() WHERE id = $1`, [
      id,
      desired,
    ]);
  }
}

async function locked(sql: SqlRunner, tenantId: TenantId, id: SandboxId): Promise<Sandbox> {
  const [row] = await sql<SandboxRow>(
    `SELECT ${SANDBOX_COLUMNS} FROM sandboxes s WHERE s.tenant_id = $1 AND s.id = $2 FOR UPDATE`,
    [tenantId, id],
  );
  if (!row) throw notFound();
  return sandboxFrom(row);
}

const notFound = (): DomainError => new DomainError('not_found', 'There is no such sandbox.');
