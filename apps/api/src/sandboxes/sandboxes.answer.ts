import type { Operation, Sandbox } from '#domain';
import { Answer } from '../http/answer.js';
import { operationView } from '../operations/operation.view.js';
import { sandboxView } from './sandbox.view.js';

/** 202 with the address of the run that does what was asked for, 200 where it is so already. */
export function sandboxAnswer(result: {
  readonly sandbox: Sandbox;
  readonly operation: Operation | null;
  readonly replayed?: boolean;
}) {
  const { sandbox, operation, replayed = false } = result;
  const body = {
    sandbox: sandboxView(sandbox),
    operation: operation === null ? null : operationView(operation),
  };
  const location = body.operation?.links['self'] ?? body.sandbox.links['self'] ?? '';
  const headers = { location, ...(replayed ? { 'idempotency-replayed': 'true' } : {}) };
  return new Answer(operation === null ? 200 : 202, body, headers);
}

/** The tag is that of the settings, which are all that a client may change. */
export function settledAnswer(sandbox: Sandbox) {
  return new Answer(200, sandboxView(sandbox), { etag: `"${sandbox.settingsVersion}"` });
}
