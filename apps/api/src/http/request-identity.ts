import { createHash } from 'node:crypto';
import { v5 as uuidv5, v7 as uuidv7 } from 'uuid';
import type { Call } from './call.js';

/** The name space of every id that comes from an Idempotency-Key. Changing it would run repeated requests again. */
const NAMESPACE = '5f0b1c1e-6a0f-4c6a-9d7b-3b1a6f1e2d90';

type CreatedKind = 'sandbox' | 'operation' | 'exec' | 'bulk' | 'credential' | 'upload';

/** The id of what a request creates: from its Idempotency-Key where there is one, so that asking twice creates once. */
export function idFor(call: Call, kind: CreatedKind): string {
  if (call.idempotencyKey === undefined) return uuidv7();
  return idFrom(canonicalJson([call.principal.tenantId, call.method, call.route, kind, call.idempotencyKey]));
}

/** The same id for the same name. */
export const idFrom = (name: string): string => uuidv5(name, NAMESPACE);

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
