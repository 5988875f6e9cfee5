import { DomainError, type Page } from '#domain';

/** Newest first; the cursor is the id of the last row of a page. Ids of tests grow with time. */
export function pageOf<Row extends { id: string }>(
  rows: readonly Row[],
  query: { limit: number; cursor?: string },
): Page<Row> {
  const sorted = rows.toSorted((a, b) => (a.id < b.id ? 1 : -1));
  const from = query.cursor === undefined ? 0 : sorted.findIndex((row) => row.id === query.cursor) + 1;
  if (query.cursor !== undefined && from === 0) {
    throw new DomainError('bad_request', 'The cursor is not one that this API gave out.', {
      pointer: '/cursor',
    });
  }
  const items = sorted.slice(from, from + query.limit);
  const more = sorted.length > from + query.limit;
  return { items, nextCursor: more ? (items.at(-1)?.id ?? null) : null };
}
