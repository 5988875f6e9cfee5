import { DomainError, parseSnapshotId, type SnapshotId } from '#domain';

/** Throws `not_found` for what is no id at all. */
export function knownSnapshotId(id: string): SnapshotId {
  const known = parseSnapshotId(id);
  if (known === undefined) throw snapshotNotFound();
  return known;
}

export const snapshotNotFound = (): DomainError => new DomainError('not_found', 'There is no such snapshot.');
