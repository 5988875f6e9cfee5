import { DomainError, limits, type BulkSelection, type NewBulk, type TenantId } from '#domain';
import type { SqlRunner } from '../database.js';
import { Conditions } from './page.js';

/** The condition on `sandboxes s`. What is deleted is selected by its id only, and then is no item to do anything with. */
export function selected(tenantId: TenantId, selection: BulkSelection): Conditions {
  const conditions = new Conditions().equal('s.tenant_id', tenantId);
  if (selection.kind === 'ids') return conditions.oneOf('s.id', selection.ids);
  const { owner, name, tier, state, image, host, label } = selection.selector;
  return conditions
    .differs('s.observed_state', 'deleted')
    .oneOf('s.owner_id', owner)
    .oneOf('s.name', name)
    .oneOf('s.tier', tier)
    .oneOf('s.observed_state', state)
    .oneOf('s.image', image)
    .oneOf('s.host_id', host)
    .holds('s.labels', label);
}

/** The order in which they begin, and in which their rows are locked: the same for everybody. */
export const SELECTED_ORDER = 's.created_at, s.id';

/** One item for each sandbox that is selected at this moment. */
export async function freezeSelection(
  sql: SqlRunner,
  { id, tenantId, selection }: Pick<NewBulk, 'id' | 'tenantId' | 'selection'>,
): Promise<void> {
  await refuseUnknown(sql, tenantId, selection);
  const conditions = selected(tenantId, selection);
  const bulk = conditions.parameter(id);
  const limit = conditions.parameter(limits.BULK_ITEMS_MAX + 1);
  const items = await sql(
    `INSERT INTO bulk_items (bulk_id, item_no, tenant_id, sandbox_id, owner_id)
       SELECT ${bulk}, row_number() OVER (ORDER BY ${SELECTED_ORDER}), s.tenant_id, s.id, s.owner_id
       FROM sandboxes s WHERE ${conditions.where} LIMIT ${limit} RETURNING item_no`,
    conditions.parameters,
  );
  refuseTooMany(items.length);
  await sql(
    `UPDATE bulk_operations SET owner_id = (SELECT min(owner_id) FROM bulk_items WHERE bulk_id = $1
       HAVING min(owner_id) = max(owner_id)) WHERE id = $1`,
    [id],
  );
}

export function refuseTooMany(total: number): void {
  if (total <= limits.BULK_ITEMS_MAX) return;
  throw new DomainError('bad_request', `More than ${limits.BULK_ITEMS_MAX} sandboxes are selected.`, {
    pointer: '/selector',
  });
}

/** An id that is not there is a mistake in the request, so nothing is done about the others. */
export async function refuseUnknown(
  sql: SqlRunner,
  tenantId: TenantId,
  selection: BulkSelection,
): Promise<void> {
  if (selection.kind !== 'ids') return;
  const [unknown] = await sql<{ place: number }>(
    `SELECT w.place - 1 AS place FROM unnest($2::uuid[]) WITH ORDINALITY AS w (id, place)
     WHERE NOT EXISTS (SELECT 1 FROM sandboxes s WHERE s.id = w.id AND s.tenant_id = $1) ORDER BY w.place LIMIT 1`,
    [tenantId, selection.ids],
  );
  if (!unknown) return;
  throw new DomainError('not_found', 'There is no such sandbox.', {
    pointer: `/sandboxIds/${unknown.place}`,
    extra: { sandboxId: selection.ids[unknown.place] ?? null },
  });
}
