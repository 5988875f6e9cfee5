import {
  HEALTH_STATUSES,
  OPERATION_KINDS,
  RESTART_CAUSES,
  RESTART_POLICIES,
  SANDBOX_ACTIONS,
  SANDBOX_TRANSITIONS,
  type HealthCheck,
  type Page,
  type Sandbox,
  type SandboxObservedState,
} from '#domain';
import { z } from 'zod';
import { Failure, links, pageOf, TierNameText, timestamp } from '../http/resources.js';
import { OperationView } from '../operations/operation.view.js';

const observedStates = Object.keys(SANDBOX_TRANSITIONS) as [SandboxObservedState, ...SandboxObservedState[]];

export const SandboxView = z
  .object({
    id: z.string(),
    owner: z.string(),
    name: z.string(),
    image: z.string(),
    tier: TierNameText,
    labels: z.record(z.string(), z.string()),
    generation: z.int(),
    desiredState: z.enum(['running', 'stopped', 'deleted']),
    observedState: z.enum(observedStates),
    snapshotOnRestart: z.boolean(),
    failure: Failure.nullable(),
    healthCheck: z
      .object({
        command: z.array(z.string()).nullable(),
        http: z.object({ port: z.int(), path: z.string() }).nullable(),
        intervalSeconds: z.int(),
        timeoutSeconds: z.int(),
        failuresMax: z.int(),
        startSeconds: z.int(),
      })
      .nullable(),
    health: z.object({
      status: z.enum(HEALTH_STATUSES),
      since: timestamp.nullable(),
      reason: z.string().nullable(),
      consecutiveFailures: z.int(),
    }),
    restartPolicy: z.enum(RESTART_POLICIES),
    idleStopSeconds: z.int().nullable(),
    restarts: z
      .array(timestamp)
      .meta({ description: 'When it was started again by itself, the oldest first; at most the last few.' }),
    restartDue: z
      .object({ at: timestamp, cause: z.enum(RESTART_CAUSES) })
      .nullable()
      .meta({ description: 'It came to an end by itself and is started again then.' }),
    createdAt: timestamp,
    updatedAt: timestamp,
    actions: z.array(z.enum([...OPERATION_KINDS, 'exec'])),
    links,
  })
  .meta({ id: 'Sandbox' });
export type SandboxView = z.infer<typeof SandboxView>;

export const SandboxPage = pageOf(SandboxView, 'SandboxPage');

export const SandboxWithOperation = z
  .object({ sandbox: SandboxView, operation: OperationView.nullable() })
  .meta({ id: 'SandboxWithOperation', description: '`operation` is the start that is under way, if any.' });

export function sandboxView(sandbox: Sandbox): SandboxView {
  return {
    id: sandbox.id,
    owner: sandbox.ownerId,
    name: sandbox.name,
    image: sandbox.image,
    tier: sandbox.tier,
    labels: sandbox.labels,
    generation: sandbox.generation,
    desiredState: sandbox.desiredState,
    observedState: sandbox.observedState,
    snapshotOnRestart: sandbox.snapshotOnRestart,
    failure: sandbox.failure,
    healthCheck: sandbox.healthCheck && healthCheckView(sandbox.healthCheck),
    health: { ...sandbox.health },
    restartPolicy: sandbox.restartPolicy,
    idleStopSeconds: sandbox.idleStopSeconds,
    restarts: [...sandbox.restarts],
    restartDue: sandbox.restartDue && { ...sandbox.restartDue },
    createdAt: sandbox.createdAt,
    updatedAt: sandbox.updatedAt,
    actions: [...SANDBOX_ACTIONS[sandbox.observedState]],
    links: {
      self: `/v1/sandboxes/${sandbox.id}`,
      start: `/v1/sandboxes/${sandbox.id}/start`,
      stop: `/v1/sandboxes/${sandbox.id}/stop`,
      restart: `/v1/sandboxes/${sandbox.id}/restart`,
      snapshot: `/v1/sandboxes/${sandbox.id}/snapshot`,
      snapshots: `/v1/sandboxes/${sandbox.id}/snapshots`,
      restore: `/v1/sandboxes/${sandbox.id}/restore`,
      change: `/v1/sandboxes/${sandbox.id}/change`,
      execs: `/v1/sandboxes/${sandbox.id}/execs`,
      operations: `/v1/operations?sandboxId=${sandbox.id}`,
      events: '/v1/ws',
    },
  };
}

function healthCheckView({ command, ...check }: HealthCheck) {
  return { ...check, command: command && [...command] };
}

export const sandboxPage = (page: Page<Sandbox>): z.infer<typeof SandboxPage> => ({
  items: page.items.map(sandboxView),
  nextCursor: page.nextCursor,
});
