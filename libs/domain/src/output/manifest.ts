import type { Exec } from '../exec.js';
import type { OutputSegment } from './segment.js';

export const MANIFEST_VERSION = 1;

/** What is known of an exec that has ended, without what it was asked to do: that may hold secrets. */
export type EndedExec = Omit<Exec, 'request' | 'requestHash'> & {
  /** Up to where its output is in object storage. */
  readonly sealedPosition: number;
};

/** Where a manifest lies: an object of its own, or a part of a pack. */
export interface ManifestPlace {
  readonly key: string;
  readonly offset: number;
  readonly bytes: number;
  readonly sha256: string;
}

/** Everything that is needed to read an exec's output, and to prove it, with object storage alone. */
export function manifestOf(exec: EndedExec, segments: readonly OutputSegment[]) {
  return {
    version: MANIFEST_VERSION,
    execId: exec.id,
    tenantId: exec.tenantId,
    ownerId: exec.ownerId,
    sandboxId: exec.sandboxId,
    state: exec.state,
    exitCode: exec.exitCode,
    signal: exec.signal,
    failure: exec.failure,
    exitRecord: exec.exitRecord,
    evidence: exec.evidence,
    createdAt: exec.createdAt,
    startedAt: exec.startedAt,
    finishedAt: exec.finishedAt,
    output: {
      endPosition: exec.committedPosition,
      stdoutBytes: exec.stdoutBytes,
      stderrBytes: exec.stderrBytes,
      stdoutSha256: exec.exitRecord?.stdoutSha256 ?? null,
      stderrSha256: exec.exitRecord?.stderrSha256 ?? null,
    },
    segments: segments.map(({ blocks: _blocks, ...segment }) => segment),
  };
}
