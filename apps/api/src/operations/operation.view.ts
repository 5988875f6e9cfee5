import {
  GIT_FORGES,
  OPERATION_KINDS,
  operationActions,
  parkAdvice,
  RESTART_CAUSES,
  type Operation,
  type Page,
} from '#domain';
import { z } from 'zod';
import { Failure, links, pageOf, TierNameText, timestamp } from '../http/resources.js';
import { OperationStateName } from './operation.input.js';

/** One decision, by each of the ways to send it. */
const Calls = z.object({ curl: z.string(), cli: z.string(), temporal: z.string() });

const GitOptionsView = z.object({
  path: z.string(),
  credentialId: z.string().optional(),
  url: z.string().optional(),
  ref: z.string().optional(),
  depth: z.int().optional(),
  message: z.string().optional(),
  author: z.object({ name: z.string(), email: z.string() }).optional(),
  paths: z.array(z.string()).optional(),
  branch: z.string().optional(),
  setUpstream: z.boolean().optional(),
  force: z.enum(['never', 'with-lease']).optional(),
  expectedOld: z.string().optional(),
  title: z.string().optional(),
  base: z.string().optional(),
  forge: z.enum(GIT_FORGES).optional(),
  timeoutSeconds: z.int().optional(),
});

export const OperationView = z
  .object({
    id: z.string(),
    owner: z.string(),
    sandboxId: z.string(),
    kind: z.enum(OPERATION_KINDS),
    options: z
      .object({
        running: z.enum(['end', 'wait']).optional(),
        waitSeconds: z.int().optional(),
        awaitsHealth: z
          .literal(true)
          .optional()
          .meta({ description: 'Its sandbox has a health check, which must be well first.' }),
        because: z
          .enum([...RESTART_CAUSES, 'idle'])
          .optional()
          .meta({ description: 'Why it began, where nobody asked for it.' }),
        git: GitOptionsView.optional(),
        snapshot: z.boolean().optional(),
        snapshotId: z.string().optional(),
        image: z.string().optional(),
        tier: TierNameText.optional(),
      })
      .meta({ description: 'What the request said.' }),
    state: OperationStateName,
    steps: z.array(
      z.object({
        name: z.string(),
        state: z.enum(['running', 'succeeded', 'failed']),
        attempts: z.int(),
        startedAt: timestamp,
        finishedAt: timestamp.nullable(),
        failure: Failure.nullable(),
        progress: z
          .union([
            z.object({ phase: z.string(), percent: z.int() }),
            z.object({ bytes: z.int(), totalBytes: z.int().nullable() }),
          ])
          .optional()
          .meta({ description: 'How far the running attempt says it is.' }),
      }),
    ),
    park: z
      .object({
        step: z.string(),
        parkNo: z.int(),
        failure: Failure,
        parkedAt: timestamp,
        deadlineAt: timestamp,
        check: z.string().meta({ description: 'What to look at before deciding.' }),
        retry: Calls,
        abort: Calls,
      })
      .nullable()
      .meta({ description: 'The step that failed and waits for `retry` or `abort`.' }),
    failure: Failure.nullable(),
    result: z
      .record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]))
      .nullable()
      .meta({ description: 'What the run has brought about, where that is more than its state.' }),
    createdAt: timestamp,
    startedAt: timestamp.nullable(),
    finishedAt: timestamp.nullable(),
    actions: z.array(z.enum(['retry', 'abort', 'cancel'])),
    links,
  })
  .meta({ id: 'Operation' });
export type OperationView = z.infer<typeof OperationView>;

export const OperationPage = pageOf(OperationView, 'OperationPage');

export function operationView(operation: Operation): OperationView {
  const self = `/v1/operations/${operation.id}`;
  return {
    id: operation.id,
    owner: operation.ownerId,
    sandboxId: operation.sandboxId,
    kind: operation.kind,
    options: optionsView(operation.options),
    state: operation.state,
    steps: operation.steps.map((step) => ({ ...step })),
    park: operation.park && { ...operation.park, ...parkAdvice(operation.id, operation.park) },
    failure: operation.failure,
    result: operation.result && { ...operation.result },
    createdAt: operation.createdAt,
    startedAt: operation.startedAt,
    finishedAt: operation.finishedAt,
    actions: [...operationActions(operation.kind, operation.state)],
    links: {
      self,
      sandbox: `/v1/sandboxes/${operation.sandboxId}`,
      retry: `${self}/retry`,
      abort: `${self}/abort`,
    },
  };
}

/** Without what the sandbox was before, which is its own affair. A view may be changed by whoever made it; what the row says may not. */
function optionsView({ git, before: _before, ...rest }: Operation['options']): OperationView['options'] {
  if (git === undefined) return rest;
  const { paths, author, ...plain } = git;
  return {
    ...rest,
    git: { ...plain, ...(author ? { author: { ...author } } : {}), ...(paths ? { paths: [...paths] } : {}) },
  };
}

export const operationPage = (page: Page<Operation>): z.infer<typeof OperationPage> => ({
  items: page.items.map(operationView),
  nextCursor: page.nextCursor,
});
