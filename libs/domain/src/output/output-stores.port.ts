import type { ExecId, OwnerId, TenantId } from '../ids.js';
import type { EndedExec, ManifestPlace } from './manifest.js';
import type { OutputPlace } from './output-source.port.js';
import type { OutputState } from './output.states.js';
import type { RetentionPolicy } from './retention.js';
import type { SealingLag } from './sealing.js';
import type { OutputSegment } from './segment.js';

/** Every store throws DomainError `dependency_unavailable` (dependency `postgres`) when the database is away. */

/** Reading the index of what is in object storage. */
export interface SegmentStore {
  /** The segment that holds a place, if it is sealed, and the state of the output at the same moment. */
  find(
    id: ExecId,
    place: OutputPlace,
  ): Promise<{ readonly outputState: OutputState; readonly segment: OutputSegment | undefined }>;
  /** In the order of positions. */
  list(id: ExecId): Promise<OutputSegment[]>;
  manifest(id: ExecId): Promise<ManifestPlace | undefined>;
  lag(): Promise<SealingLag>;
}

/** An object that is being written or removed. The attempt tells a request from one that came later for the same key. */
export interface ObjectWrite {
  readonly key: string;
  readonly attempt: string;
}

export interface PackMember {
  readonly exec: EndedExec;
  /** Undefined for an exec without output. */
  readonly segment: OutputSegment | undefined;
  readonly manifest: ManifestPlace;
}

/**
 * Moving output from the database into object storage. An object is announced before it is written; when it has been
 * read back, one transaction takes the announcement away, puts the segment in its place and deletes the hot chunks. So
 * what a crash leaves behind is always known, and output is never in both places or in none.
 */
export interface SealingStore {
  /** Live execs with more than a segment in the database, the fullest first. */
  listFull(limit: number): Promise<EndedExec[]>;
  /** Ended execs that are indexed for search and not sealed and have too much output for a pack, oldest end first. */
  listLarge(limit: number): Promise<EndedExec[]>;
  /** The same for those that fit into a pack, at most `bytesMax` in all. */
  listSmall(
    limit: number,
    bytesMax: number,
  ): Promise<{ readonly execs: EndedExec[]; readonly bytes: number; readonly oldestMs: number }>;
  /** From here on the object is removed again unless something refers to it in time. */
  beginWrite(write: ObjectWrite, scope: OwnerOfOutput): Promise<void>;
  /** False when somebody else was first, it took too long, or the output has expired; then nothing has changed. */
  sealSegment(id: ExecId, segment: OutputSegment, attempt: string): Promise<boolean>;
  /** The last step of an exec whose output is all in segments: `sealed`. */
  sealExec(id: ExecId, manifest: ManifestPlace, attempt: string): Promise<boolean>;
  /** Seals those of a pack that still are as they were when it was made; returns how many. */
  sealPack(members: readonly PackMember[], write: ObjectWrite): Promise<number>;
  /** Leaves the sealing of an exec alone for a while. */
  postpone(id: ExecId, ms: number): Promise<void>;
}

export interface OwnerOfOutput {
  readonly tenantId: TenantId;
  readonly ownerId: OwnerId;
}

export interface RetentionStore {
  /** Owners with output that has not expired, in a fixed order, after the given one. */
  listOwners(after: OwnerOfOutput | undefined, limit: number): Promise<OwnerOfOutput[]>;
  /** Ended execs whose output the policy does not keep, the oldest first. Never a live one. */
  listExpired(owner: OwnerOfOutput, policy: RetentionPolicy, limit: number): Promise<ExecId[]>;
  /** From now on its output is 410. Its objects are marked for removal. False when it had expired or is live. */
  expire(id: ExecId): Promise<boolean>;
  /** Expired execs with chunks left in the database. */
  listUnerased(limit: number): Promise<ExecId[]>;
  /** Deletes at most `chunksMax` chunks; true when none is left. */
  erase(id: ExecId, chunksMax: number): Promise<boolean>;
  /** Objects to remove: of expired output, or left behind by a write that began `staleMs` ago. */
  takeRemovals(staleMs: number, limit: number): Promise<ObjectWrite[]>;
  /** Those of `keys` that hold output that is kept. */
  listReferenced(keys: readonly string[]): Promise<ReadonlySet<string>>;
  /** The removal is done, or not needed; unless it was asked for again since. */
  endRemoval(removal: ObjectWrite): Promise<void>;
}

export interface UnindexedExec {
  readonly id: ExecId;
  /** The words of the command and the labels. */
  readonly text: string;
  readonly committedPosition: number;
}

/** The search index of ended execs. Live ones are found by their command and labels without it. */
export interface SearchStore {
  listUnindexed(limit: number): Promise<UnindexedExec[]>;
  index(entries: readonly { readonly id: ExecId; readonly text: string }[]): Promise<void>;
}
