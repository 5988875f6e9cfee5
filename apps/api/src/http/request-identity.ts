import { createHash } from 'node:crypto';
import { uuidv7 } from 'uuidv7';
import type { Call } from './call.js';

/** The name space of every id that comes from an Idempotency-Key. Changing it would run repeated requests again. */
const NAMESPACE = Buffer.from('5f0b1c1e6a0f4c6a9d7b3b1a6f1e2d90', 'hex');

type CreatedKind = 'sandbox' | 'operation' | 'exec' | 'bulk' | 'credential' | 'upload';

/** The id of what a request creates: from its Idempotency-Key where there is one, so that asking twice creates once. */
export function idFor(call: Call, kind: CreatedKind): string {
  if (call.idempotencyKey === undefined) return uuidv7();
  return uuidv5(canonicalJson([call.principal.tenantId, call.method, call.route, kind, call.idempotencyKey]));
}

/** Equal for equal requests: the fence that tells a repetition from another request under the same key. */
export function requestHashOf(request: unknown): string {
  return createHash('sha256').update(canonicalJson(request)).digest('hex');
}

/** JSON with sorted keys and without undefined members. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value ?? null);
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`);
  return `{${members.join(',')}}`;
}

/** RFC 9562, section 5.5. */
export function uuidv5(name: string, namespace: Uint8Array = NAMESPACE): string {
  const bytes = createHash('sha1').update(namespace).update(name).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x50;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
