import {
  GIT_FORGES,
  isCommitId,
  isGitName,
  isGitRevision,
  isPersonText,
  isTreePath,
  isWorkingTree,
  limits,
  refuseGitUrl,
} from '#domain';
import { z } from 'zod';
import { CredentialSecret, CredentialUsername, HostText } from '../credentials/credential.input.js';
import { flagText, idText, integerText, repeated } from '../http/inputs.js';

const WORKSPACE = '/workspace';
const QUERY_PATHS_MAX = 50;

const refined = (rule: (text: string) => boolean, error: string, lengthMax: number) =>
  z.string().min(1).max(lengthMax).refine(rule, { error });

const pathText = z
  .string()
  .min(1)
  .max(limits.PATH_BYTES_MAX)
  .transform((path) => (path.startsWith('/') ? path : `${WORKSPACE}/${path}`))
  .refine(isWorkingTree, { error: 'must be a folder, absolute or in the workspace, without `.` and `..`' })
  .meta({ description: 'The working tree, absolute or in the workspace.', examples: ['project'] });

const urlText = z
  .string()
  .max(limits.GIT_URL_LENGTH_MAX)
  .superRefine((url, context) => {
    const refusal = refuseGitUrl(url);
    if (refusal !== undefined) context.addIssue({ code: 'custom', message: refusal });
  })
  .meta({ examples: ['https://git.example.org/team/project.git'] });

const nameText = refined(isGitName, 'must be a name that git takes for a branch', limits.GIT_NAME_LENGTH_MAX);
const revisionText = refined(
  isGitRevision,
  'must be a commit, or a name for one',
  limits.GIT_NAME_LENGTH_MAX,
);
const personText = refined(
  isPersonText,
  'must be a name of one line, without < and >',
  limits.GIT_PERSON_LENGTH_MAX,
);
const commitText = z.string().refine(isCommitId, { error: 'must be the whole id of a commit' });
const treePath = refined(isTreePath, 'must be a path inside the working tree', limits.PATH_BYTES_MAX);

/** By the id of one that is stored, or with the request: then it is kept sealed until the operation has ended. */
const access = {
  credentialId: idText.optional(),
  credential: z
    .strictObject({
      host: HostText.optional(),
      username: CredentialUsername.optional(),
      secret: CredentialSecret,
    })
    .optional()
    .meta({ description: 'For this operation alone. Its host is by default that of `url`.' }),
};

/** What every operation on a repository says. */
const work = {
  path: pathText,
  timeoutSeconds: z
    .int()
    .min(1)
    .max(limits.GIT_TIMEOUT_SECONDS_MAX)
    .optional()
    .meta({ description: `How long one try may take; by default ${limits.GIT_TIMEOUT_SECONDS_DEFAULT}.` }),
};

const commitFields = {
  ...work,
  message: z.string().min(1).max(limits.GIT_MESSAGE_LENGTH_MAX),
  author: z
    .strictObject({ name: personText, email: personText })
    .optional()
    .meta({ description: 'By default whom the repository names.' }),
  paths: z
    .array(treePath)
    .min(1)
    .max(limits.GIT_PATHS_MAX)
    .optional()
    .meta({ description: 'What to commit; by default everything that has changed.' }),
  all: z.literal(true).optional().meta({ description: 'Everything that has changed, as without `paths`.' }),
};

const pushFields = {
  ...work,
  ...access,
  branch: nameText.optional().meta({ description: 'By default the one that is checked out.' }),
  setUpstream: z.boolean().optional(),
  force: z.enum(['never', 'with-lease']).optional(),
  expectedOld: commitText.optional().meta({
    description: 'With a lease: the commit that may be replaced. By default the one last seen there.',
  }),
};

const notBoth = (body: { credentialId?: unknown; credential?: unknown }): boolean =>
  body.credentialId === undefined || body.credential === undefined;
/** It goes into the sandbox as one message. */
const notTooLong = (body: object): boolean =>
  Buffer.byteLength(JSON.stringify(body)) <= limits.GIT_REQUEST_BYTES_MAX;
const TOO_LONG = {
  path: ['paths'],
  error: `with the rest, must be at most ${limits.GIT_REQUEST_BYTES_MAX} bytes`,
};
const allOrSome = (body: { all?: true | undefined; paths?: unknown }): boolean =>
  body.all === undefined || body.paths === undefined;
const ALL_OR_SOME = { path: ['all'], error: 'says that there are no `paths`' };
/** It is what is done without it. */
const withoutAll = <Body extends { all?: true | undefined }>({
  all: _said,
  ...body
}: Body): Omit<Body, 'all'> => body;
const NOT_BOTH = { path: ['credential'], error: 'comes in place of `credentialId`, not with it' };

export const CloneBody = z
  .strictObject({
    url: urlText,
    ...work,
    ref: nameText.optional().meta({ description: 'A branch or a tag.' }),
    depth: z.int().min(1).max(limits.GIT_DEPTH_MAX).optional(),
    ...access,
  })
  .refine(notBoth, NOT_BOTH)
  .meta({ id: 'GitCloneRequest' });

export const CommitBody = z
  .strictObject(commitFields)
  .refine(notTooLong, TOO_LONG)
  .refine(allOrSome, ALL_OR_SOME)
  .transform(withoutAll)
  .meta({ id: 'GitCommitRequest' });
export const PushBody = z.strictObject(pushFields).refine(notBoth, NOT_BOTH).meta({ id: 'GitPushRequest' });
export const CommitAndPushBody = z
  .strictObject({ ...commitFields, ...pushFields })
  .refine(notBoth, NOT_BOTH)
  .refine(notTooLong, TOO_LONG)
  .refine(allOrSome, ALL_OR_SOME)
  .transform(withoutAll)
  .meta({ id: 'GitCommitAndPushRequest' });
export const PullBody = z
  .strictObject({ ...work, branch: nameText.optional(), ...access })
  .refine(notBoth, NOT_BOTH)
  .meta({ id: 'GitPullRequest' });

export const PullRequestBody = z
  .strictObject({
    ...work,
    title: refined((text) => text.trim() !== '', 'must not be empty', limits.GIT_TITLE_LENGTH_MAX),
    body: z.string().max(limits.GIT_MESSAGE_LENGTH_MAX).optional(),
    head: nameText
      .optional()
      .meta({ description: 'The branch to be merged; by default the one that is checked out.' }),
    base: nameText.meta({ description: 'The branch that it is to be merged into.' }),
    forge: z.enum(GIT_FORGES).optional().meta({
      description: 'By default `github` at github.com and `gitea`, which Forgejo speaks, too, elsewhere.',
    }),
    ...access,
  })
  .refine(notBoth, NOT_BOTH)
  .transform(({ body, head, ...rest }) => ({
    ...rest,
    ...(body === undefined ? {} : { message: body }),
    ...(head === undefined ? {} : { branch: head }),
  }))
  .meta({ id: 'GitPullRequestRequest' });

export type GitBody = z.infer<typeof PullBody> &
  Partial<Pick<z.infer<typeof CloneBody>, 'url' | 'ref' | 'depth'>> &
  Partial<z.infer<typeof CommitAndPushBody>> &
  Partial<Pick<z.infer<typeof PullRequestBody>, 'title' | 'base' | 'forge'>>;

export const PathQuery = z.strictObject({ path: pathText });
/** A cursor is the name of a branch, encoded. */
const CURSOR_LENGTH_MAX = 2 * limits.PATH_BYTES_MAX;
export const BranchesQuery = z.strictObject({
  path: pathText,
  limit: integerText(1, limits.GIT_BRANCHES_MAX).optional(),
  cursor: z.string().min(1).max(CURSOR_LENGTH_MAX).optional(),
});
export const DiffQuery = z.strictObject({
  path: pathText,
  staged: flagText.optional(),
  from: revisionText.optional(),
  to: revisionText.optional(),
  paths: repeated(treePath, QUERY_PATHS_MAX).optional(),
});
export const LogQuery = z.strictObject({
  path: pathText,
  ref: revisionText.optional(),
  limit: integerText(1, limits.GIT_LOG_ENTRIES_MAX).optional(),
  skip: integerText(0, Number.MAX_SAFE_INTEGER).optional(),
});

/** Makes a branch, goes to one, or both. */
export const BranchBody = z
  .strictObject({
    path: pathText,
    branch: nameText,
    create: z.boolean().optional(),
    from: revisionText
      .optional()
      .meta({ description: 'Where it begins; by default where the checked-out one is.' }),
    switch: z.boolean().optional(),
  })
  .refine(({ create, switch: goes }) => create === true || goes === true, {
    path: ['create'],
    error: 'say `create`, `switch` or both',
  })
  .meta({ id: 'GitBranchRequest' });
