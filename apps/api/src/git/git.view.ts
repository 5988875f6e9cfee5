import { DomainError } from '#domain';
import { z } from 'zod';

const Person = z.object({ name: z.string(), email: z.string() });
const truncated = z.boolean().meta({ description: 'There was more.' });

export const GitStatus = z
  .object({
    branch: z.string(),
    commit: z.string(),
    upstream: z.string(),
    ahead: z.int(),
    behind: z.int(),
    files: z.array(
      z.object({ path: z.string(), from: z.string().optional(), index: z.string(), tree: z.string() }),
    ),
    truncated,
  })
  .meta({ id: 'GitStatus' });
export const GitDiff = z.object({ diff: z.string(), truncated }).meta({ id: 'GitDiff' });
export const GitLog = z
  .object({
    commits: z.array(
      z.object({
        commit: z.string(),
        parents: z.array(z.string()),
        author: Person,
        at: z.string(),
        subject: z.string(),
        body: z.string(),
      }),
    ),
    truncated,
  })
  .meta({ id: 'GitLog' });
export const GitBranches = z
  .object({
    branches: z.array(
      z.object({
        name: z.string(),
        commit: z.string(),
        upstream: z.string().optional(),
        remote: z.boolean(),
        current: z.boolean(),
      }),
    ),
    truncated,
    nextCursor: z.string().nullable(),
  })
  .meta({ id: 'GitBranches' });
export const GitBranch = z
  .object({ branch: z.string(), commit: z.string().optional() })
  .meta({ id: 'GitBranch' });

/** What comes from a sandbox is its word and nobody else's: other than this it does not go out. */
export function seenAs<Schema extends z.ZodType>(schema: Schema, value: unknown): z.infer<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new DomainError('runner_protocol', 'The sandbox gave a result that is not understood.', {
    cause: parsed.error,
  });
}

/** The program leaves out what is empty. */
export const seenResult = z.object({
  status: GitStatus.omit({ truncated: true }).optional(),
  diff: z.string().default(''),
  commits: GitLog.shape.commits.default([]),
  branches: GitBranches.shape.branches.default([]),
  branch: z.string().default(''),
  commit: z.string().optional(),
  truncated: z.boolean().default(false),
  /** Where the next page of branches begins. */
  next: z.string().default(''),
});
