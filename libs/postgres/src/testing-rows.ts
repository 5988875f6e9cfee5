import { randomUUID } from 'node:crypto';
import {
  encodeFrame,
  execId,
  hostId,
  operationId,
  ownerId,
  sandboxId,
  tenantId,
  type Chunk,
  type NewExec,
  type SandboxId,
} from '#domain';
import type { Database } from './database.js';
import { PostgresOperationStore } from './stores/operation.store.js';
import { PostgresSandboxStore } from './stores/sandbox.store.js';

export const TENANT = tenantId('default');
export const HOST = hostId('local');

/** The rows of a sandbox that a start has brought up, of a tier with so many execs at once. */
export async function runningSandbox(
  database: Database,
  tier: 'small' | 'large',
  owner = 'u1',
): Promise<SandboxId> {
  const [operations, sandboxes] = [new PostgresOperationStore(database), new PostgresSandboxStore(database)];
  const [start, id] = [operationId(randomUUID()), sandboxId(randomUUID())];
  const scope = { tenantId: TENANT, ownerId: ownerId(owner) };
  await sandboxes.ensureStarted(
    { ...scope, id, name: `s-${id}`, image: 'image', tier, hostId: HOST },
    { ...scope, id: start, sandboxId: id, kind: 'start', requestHash: 'hash' },
  );
  await operations.beginStep(start, 'create_container', new Date().toISOString());
  const generation = await sandboxes.raiseGeneration(id, start);
  const seen = { generation, observedState: 'running', containerId: 'c1', failure: null } as const;
  await sandboxes.observeByOperation(id, start, seen);
  await operations.move(start, ['running'], 'succeeded');
  return id;
}

export function newExec(sandbox: SandboxId, change: Partial<NewExec> = {}): NewExec {
  return {
    id: execId(randomUUID()),
    tenantId: TENANT,
    ownerId: ownerId('u1'),
    sandboxId: sandbox,
    requestHash: 'hash',
    request: {
      argv: ['true'],
      env: {},
      workingDirectory: null,
      user: null,
      stdin: { kind: 'none' },
      tty: null,
      idleTimeoutSeconds: null,
      allowBackground: false,
      timeoutSeconds: 60,
      queueTimeoutSeconds: 60,
      labels: {},
      outputBytesMax: 1_000,
    },
    ...change,
  };
}

/** One frame of standard output, as the host commits it. */
export function chunkOf(position: number, stdoutFrom: number, payload: Uint8Array): Chunk {
  const frames = encodeFrame({ stream: 'stdout', flags: 0, offset: stdoutFrom, timeMicros: 1, payload });
  return {
    position,
    endPosition: position + frames.byteLength,
    frames,
    stdoutFrom,
    stdoutTo: stdoutFrom + payload.byteLength,
    stderrFrom: 0,
    stderrTo: 0,
  };
}
