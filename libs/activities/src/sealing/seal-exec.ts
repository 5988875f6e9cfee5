import { randomUUID } from 'node:crypto';
import {
  EXEC_TRANSITIONS,
  isTerminal,
  limits,
  manifestKey,
  manifestOf,
  segmentKey,
  type EndedExec,
  type ObjectStore,
  type SealingStore,
  type SegmentStore,
} from '#domain';
import type { OutputGatherer } from './gather.js';
import { putVerified, sha256Of } from '../verified-object.js';

export interface SealExecPorts {
  readonly sealing: SealingStore;
  readonly segments: SegmentStore;
  readonly objects: ObjectStore;
  readonly gatherer: OutputGatherer;
}

export interface SealedExec {
  readonly segments: number;
  /** All of it is in object storage now. */
  readonly complete: boolean;
}

/**
 * Seals segment after segment of one exec: of a live one only full segments, of an ended one everything and then its
 * manifest. It stops where `mayGoOn` says so, or where somebody else is at the same exec; what is done stays done.
 */
export async function sealExec(
  ports: SealExecPorts,
  exec: EndedExec,
  mayGoOn: () => boolean,
): Promise<SealedExec> {
  const ended = isTerminal(EXEC_TRANSITIONS, exec.state);
  const keptHotBytes = ended ? 0 : limits.SEGMENT_BYTES_MAX + limits.HOT_TAIL_BYTES - 1;
  let at = exec.sealedPosition;
  let segments = 0;
  while (exec.committedPosition - at > keptHotBytes) {
    const end = mayGoOn() ? await sealSegment(ports, exec, at) : undefined;
    if (end === undefined) return { segments, complete: false };
    at = end;
    segments += 1;
  }
  return { segments, complete: ended && (await sealManifest(ports, exec)) };
}

/** Returns where the segment ends; undefined when somebody else was first. */
async function sealSegment(ports: SealExecPorts, exec: EndedExec, from: number): Promise<number | undefined> {
  const { gatherer, objects, sealing } = ports;
  const gathered = await gatherer.gather(exec, from);
  if (!gathered) return undefined;
  const { span, blocks, bytes, sha256 } = gathered;
  const attempt = randomUUID();
  const objectKey = segmentKey(exec.tenantId, exec.id, span, attempt);
  await sealing.beginWrite({ key: objectKey, attempt }, exec);
  await putVerified(objects, objectKey, bytes);
  const segment = { ...span, objectKey, objectOffset: 0, sha256, blocks };
  return (await sealing.sealSegment(exec.id, segment, attempt)) ? span.endPosition : undefined;
}

async function sealManifest(ports: SealExecPorts, exec: EndedExec): Promise<boolean> {
  const { segments, objects, sealing } = ports;
  const bytes = Buffer.from(JSON.stringify(manifestOf(exec, await segments.list(exec.id))));
  const attempt = randomUUID();
  const key = manifestKey(exec.tenantId, exec.id, attempt);
  await sealing.beginWrite({ key, attempt }, exec);
  await putVerified(objects, key, bytes, 'application/json');
  const place = { key, offset: 0, bytes: bytes.byteLength, sha256: sha256Of(bytes) };
  return await sealing.sealExec(exec.id, place, attempt);
}
