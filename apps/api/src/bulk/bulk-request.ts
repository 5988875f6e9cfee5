import {
  DomainError,
  hostId,
  limits,
  ownerId,
  parseSandboxId,
  type BulkSelection,
  type BulkWork,
  type SandboxId,
  type SandboxSelector,
} from '#domain';
import { execRequestOf } from '../execs/exec-request.js';
import { present } from '../http/inputs.js';
import type { BulkBody } from './bulk.input.js';

export function workOf({ action, options, exec }: BulkBody): BulkWork {
  if (action !== 'exec') return { action, options: present(options ?? {}) };
  if (exec === undefined) throw new TypeError('The schema lets no exec without a command through.');
  return { action, request: execRequestOf(exec), ifStopped: exec.ifStopped ?? 'start' };
}

export function selectionOf({ sandboxIds, selector }: BulkBody): BulkSelection {
  if (sandboxIds !== undefined) return { kind: 'ids', ids: sandboxIdsOf(sandboxIds) };
  return { kind: 'selector', selector: selectorOf(selector) };
}

/** What is not an id cannot be found. */
export function sandboxIdsOf(texts: readonly string[]): SandboxId[] {
  return texts.map((text, place) => {
    const id = parseSandboxId(text);
    if (id !== undefined) return id;
    throw new DomainError('not_found', 'There is no such sandbox.', { pointer: `/sandboxIds/${place}` });
  });
}

function selectorOf(selector: BulkBody['selector']): SandboxSelector {
  const { owner, name, tier, state, image, host, label } = selector ?? {};
  return present({
    owner: listed(owner)?.map(ownerId),
    name: listed(name),
    tier: listed(tier),
    state: listed(state),
    image: listed(image),
    host: listed(host)?.map(hostId),
    label,
  });
}

function listed<Value extends string>(given: Value | Value[] | undefined): Value[] | undefined {
  return typeof given === 'string' ? [given] : given;
}

export const concurrencyOf = ({ maxConcurrency }: BulkBody): number =>
  maxConcurrency ?? limits.BULK_CONCURRENCY_DEFAULT;
