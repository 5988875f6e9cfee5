import {
  DomainError,
  isTerminal,
  OPERATION_TRANSITIONS,
  sandboxId,
  stepBegun,
  stepEnded,
  stepProgressed,
  type Correction,
  type Failure,
  type HostId,
  type Operation,
  type OperationId,
  type OperationOutcome,
  type OperationState,
  type OperationStore,
  type Page,
  type Park,
  type SandboxId,
  type StepProgress,
  type StepRecord,
  type TenantId,
  TOUCHING_KINDS,
} from '#domain';
import type { Database } from '../database.js';
import { Conditions, cursorAt, pageOf } from './page.js';
import { OPERATION_COLUMNS, operationFrom, type OperationRow, jsonOf, json } from './rows.js';

export class PostgresOperationStore implements OperationStore {
  constructor(private readonly database: Database) {}

  async find(tenantId: TenantId, id: OperationId): Promise<Operation | undefined> {
    const [row] = await this.database.query<OperationRow>(
      `SELECT ${OPERATION_COLUMNS} FROM operations o WHERE o.tenant_id = $1 AND o.id = $2`,
      [tenantId, id],
    );
    return row && operationFrom(row);
  }

  async get(id: OperationId): Promise<Operation> {
    const [row] = await this.database.query<OperationRow>(
      `SELECT ${OPERATION_COLUMNS} FROM operations o WHERE o.id = $1`,
      [id],
    );
    if (!row) throw new DomainError('not_found', 'There is no such operation.');
    return operationFrom(row);
  }

  async list(
    tenantId: TenantId,
    query: { state?: OperationState; sandboxId?: SandboxId; limit: number; cursor?: string },
  ): Promise<Page<Operation>> {
    const conditions = new Conditions()
      .equal('o.tenant_id', tenantId)
      .equal('o.state', query.state)
      .equal('o.sandbox_id', query.sandboxId)
      .before('o', query.cursor);
    const limit = conditions.parameter(query.limit + 1);
    const rows = await this.database.query<OperationRow & { cursorAt: string }>(
      `SELECT ${OPERATION_COLUMNS}, ${cursorAt('o')} FROM operations o WHERE ${conditions.where}
       ORDER BY o.created_at DESC, o.id DESC LIMIT ${limit}`,
      conditions.parameters,
    );
    return pageOf(rows, query.limit, operationFrom);
  }

  async move(
    id: OperationId,
    from: readonly OperationState[],
    to: OperationState,
    change: { park?: Park | null; failure?: Failure | null } = {},
  ): Promise<boolean> {
    const rows = await this.database.query(
      `UPDATE operations SET state = $3,
         park = $4,
         failure = $5,
         started_at = CASE WHEN $3 = 'running' THEN coalesce(started_at, now()) ELSE started_at END,
         finished_at = CASE WHEN $6 THEN now() ELSE NULL END
       WHERE id = $1 AND state = ANY($2) RETURNING id`,
      [
        id,
        from,
        to,
        json(change.park ?? null),
        json(change.failure ?? null),
        isTerminal(OPERATION_TRANSITIONS, to),
      ],
    );
    return rows.length > 0;
  }

  async beginStep(id: OperationId, step: string, at: string): Promise<Operation> {
    return await this.changeSteps(id, true, (steps) => stepBegun(steps, step, at));
  }

  async endStep(id: OperationId, step: string, at: string, failure: Failure | null): Promise<void> {
    await this.changeSteps(id, false, (steps) => stepEnded(steps, step, at, failure));
  }

  private async changeSteps(
    id: OperationId,
    mustHold: boolean,
    change: (steps: readonly StepRecord[]) => StepRecord[],
  ): Promise<Operation> {
    return await this.database.transaction(async (sql) => {
      const [row] = await sql<OperationRow>(
        `SELECT ${OPERATION_COLUMNS} FROM operations o WHERE o.id = $1 FOR UPDATE`,
        [id],
      );
      if (!row) throw new DomainError('not_found', 'There is no such operation.');
      if (mustHold && isTerminal(OPERATION_TRANSITIONS, row.state)) {
        throw new DomainError('invalid_state', 'The operation has ended and no longer holds its sandbox.');
      }
      const [changed] = await sql<OperationRow>(
        `UPDATE operations AS o SET steps = $2,
           state = CASE WHEN o.state = 'pending' THEN 'running' ELSE o.state END,
           started_at = coalesce(o.started_at, now())
         WHERE o.id = $1 RETURNING ${OPERATION_COLUMNS}`,
        [id, jsonOf(change(row.steps))],
      );
      return operationFrom(changed ?? row);
    });
  }

  async recordResult(id: OperationId, result: OperationOutcome): Promise<boolean> {
    const rows = await this.database.query(
      `UPDATE operations SET result = $2 WHERE id = $1 AND state IN ('pending', 'running', 'parked') RETURNING id`,
      [id, jsonOf(result)],
    );
    return rows.length > 0;
  }

  async noteProgress(id: OperationId, step: string, progress: StepProgress): Promise<void> {
    await this.changeSteps(id, false, (steps) => stepProgressed(steps, step, progress));
  }

  async correctGit(
    id: OperationId,
    correction: Pick<Correction, 'credentialId' | 'branch'>,
  ): Promise<boolean> {
    const rows = await this.database.query(
      `UPDATE operations SET options = jsonb_set(options, '{git}', (options->'git') || $2::jsonb)
       WHERE id = $1 AND state IN ('pending', 'running', 'parked') AND options ? 'git' RETURNING id`,
      [id, jsonOf(correction)],
    );
    return rows.length > 0;
  }

  async liveSandboxes(hostId: HostId): Promise<ReadonlySet<SandboxId>> {
    const rows = await this.database.query<{ id: string }>(
      `SELECT sandbox_id AS id FROM operations
       WHERE host_id = $1 AND state IN ('pending', 'running', 'parked') AND kind = ANY($2)`,
      [hostId, TOUCHING_KINDS],
    );
    return new Set(rows.map(({ id }) => sandboxId(id)));
  }

  async markWorkflowsStarted(ids: readonly OperationId[]): Promise<void> {
    await this.database.query(
      `UPDATE operations SET workflow_started_at = now() WHERE id = ANY($1) AND workflow_started_at IS NULL`,
      [ids],
    );
  }
}
