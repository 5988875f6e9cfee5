import { z } from 'zod';
import type { ExecState, OperationState, SandboxObservedState } from '#domain';

/**
 * The part of the API's answers that the CLI looks at. Further fields are kept, so that `--json` shows everything.
 * States are taken as the API says them: a newer API may know more of them.
 */
const FailureSchema = z.looseObject({ code: z.string(), message: z.string() }).nullable();

export const ExecSchema = z.looseObject({
  id: z.string(),
  sandboxId: z.string(),
  state: z.string().transform((state) => state as ExecState),
  exitCode: z.number().int().nullable(),
  signal: z.string().nullable(),
  failure: FailureSchema.optional(),
  createdAt: z.string(),
  finishedAt: z.string().nullable(),
});
export type ExecResource = z.infer<typeof ExecSchema>;

export const SandboxSchema = z.looseObject({
  id: z.string(),
  owner: z.string(),
  name: z.string(),
  image: z.string(),
  tier: z.string(),
  generation: z.number().int(),
  observedState: z.string().transform((state) => state as SandboxObservedState),
  failure: FailureSchema.optional(),
  health: z.looseObject({ status: z.string(), reason: z.string().nullable() }).optional(),
  restartPolicy: z.string().optional(),
  idleStopSeconds: z.number().int().nullable().optional(),
  restartDue: z.looseObject({ at: z.string(), cause: z.string() }).nullable().optional(),
  createdAt: z.string(),
});
export type SandboxResource = z.infer<typeof SandboxSchema>;

export const OperationSchema = z.looseObject({
  id: z.string(),
  sandboxId: z.string(),
  kind: z.string(),
  state: z.string().transform((state) => state as OperationState),
  steps: z.array(
    z.looseObject({
      name: z.string(),
      state: z.string(),
      attempts: z.number().int(),
      startedAt: z.string(),
      finishedAt: z.string().nullable(),
      progress: z
        .looseObject({
          phase: z.string().optional(),
          percent: z.number().optional(),
          bytes: z.number().optional(),
          totalBytes: z.number().nullish(),
        })
        .optional(),
      failure: FailureSchema.optional(),
    }),
  ),
  park: z
    .looseObject({
      step: z.string(),
      parkNo: z.number().int(),
      failure: FailureSchema.optional(),
      check: z.string().optional(),
    })
    .nullable(),
  failure: FailureSchema.optional(),
  result: z.record(z.string(), z.unknown()).nullish(),
  createdAt: z.string(),
  finishedAt: z.string().nullable(),
});
export type OperationResource = z.infer<typeof OperationSchema>;

export const SnapshotSchema = z.looseObject({
  id: z.string(),
  sandboxId: z.string(),
  image: z.string(),
  state: z.string(),
  summary: z.looseObject({ entries: z.number(), bytes: z.number() }).nullable(),
  createdAt: z.string(),
});
export type SnapshotResource = z.infer<typeof SnapshotSchema>;

export const BulkSchema = z.looseObject({
  id: z.string(),
  action: z.string(),
  state: z.string(),
  round: z.number().int(),
  total: z.number().int(),
  counts: z.record(z.string(), z.number().int()),
  pause: z
    .looseObject({ pauseNo: z.number().int(), reason: FailureSchema, deadlineAt: z.string() })
    .nullable(),
  failure: FailureSchema.optional(),
  createdAt: z.string(),
  finishedAt: z.string().nullable(),
});
export type BulkResource = z.infer<typeof BulkSchema>;

export const BulkItemSchema = z.looseObject({
  number: z.number().int(),
  sandboxId: z.string(),
  owner: z.string(),
  state: z.string(),
  phase: z.string().nullable(),
  attempts: z.number().int(),
  failure: FailureSchema,
  operationId: z.string().nullable(),
  execId: z.string().nullable(),
});

export const BulkDryRunSchema = z.looseObject({
  dryRun: z.literal(true),
  total: z.number().int(),
  sandboxes: z.array(SandboxSchema),
});

export const SandboxCreatedSchema = z.looseObject({
  sandbox: SandboxSchema,
  operation: OperationSchema.nullable(),
});
export type SandboxCreated = z.infer<typeof SandboxCreatedSchema>;

export const pageOf = <T extends z.ZodType>(item: T) =>
  z.looseObject({ items: z.array(item), nextCursor: z.string().nullable() });

export const HealthSchema = z.looseObject({
  status: z.string(),
  dependencies: z.record(z.string(), z.looseObject({ state: z.string(), detail: z.string().optional() })),
});
export type Health = z.infer<typeof HealthSchema>;

const VerifiedStreamSchema = z.looseObject({ bytes: z.number(), sha256: z.string() });

export const VerificationSchema = z.looseObject({
  execId: z.string(),
  state: z.string(),
  ok: z.boolean(),
  proven: z.boolean(),
  sealedBytes: z.number(),
  hotBytes: z.number(),
  segments: z.number(),
  stdout: VerifiedStreamSchema,
  stderr: VerifiedStreamSchema,
  problems: z.array(z.looseObject({ position: z.number(), message: z.string() })),
});
export type Verification = z.infer<typeof VerificationSchema>;

export const CredentialSchema = z.looseObject({
  id: z.string(),
  owner: z.string(),
  host: z.string(),
  username: z.string(),
  createdAt: z.string(),
});
export type CredentialResource = z.infer<typeof CredentialSchema>;

const truncated = z.boolean();

export const StatusSchema = z.looseObject({
  branch: z.string(),
  upstream: z.string(),
  ahead: z.number(),
  behind: z.number(),
  files: z.array(z.looseObject({ path: z.string(), index: z.string(), tree: z.string() })),
  truncated,
});
export const DiffSchema = z.looseObject({ diff: z.string(), truncated });
export const LogSchema = z.looseObject({
  commits: z.array(
    z.looseObject({
      commit: z.string(),
      at: z.string(),
      author: z.looseObject({ name: z.string() }),
      subject: z.string(),
    }),
  ),
  truncated,
});
export const BranchesSchema = z.looseObject({
  branches: z.array(
    z.looseObject({
      name: z.string(),
      commit: z.string(),
      upstream: z.string().optional(),
      current: z.boolean(),
    }),
  ),
  truncated,
  nextCursor: z.string().nullable(),
});
export const BranchSchema = z.looseObject({ branch: z.string() });

export const ProblemSchema = z.looseObject({
  status: z.number().int(),
  code: z.string(),
  detail: z.string().optional(),
  title: z.string().optional(),
  requestId: z.string().optional(),
  pointer: z.string().optional(),
  dependency: z.string().optional(),
});
export type Problem = z.infer<typeof ProblemSchema>;
