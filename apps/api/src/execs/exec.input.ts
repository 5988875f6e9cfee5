import { limits, searchWordsOf } from '#domain';
import { z } from 'zod';
import { idText, nameText, pageQuery, repeated, timeText } from '../http/inputs.js';
import { Stdin, TerminalSizeBody, User } from './exec-input.input.js';

const NUL = '\0';
const utf8Bytes = (text: string): number => Buffer.byteLength(text);
const withoutNul = z.string().refine((text) => !text.includes(NUL), { error: 'must not hold a NUL byte' });

const atMost = (bytesMax: number) => ({ error: `must be at most ${bytesMax} bytes` });

const EnvName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,255}$/, {
  error: 'a name has letters, digits and _ and does not begin with a digit',
});

const Env = z
  .record(EnvName, withoutNul)
  .refine((env) => Object.keys(env).length <= limits.ENV_ITEMS_MAX, {
    error: `must have at most ${limits.ENV_ITEMS_MAX} variables`,
  })
  .refine((env) => utf8Bytes(Object.entries(env).flat().join('=')) <= limits.ENV_BYTES_MAX, {
    ...atMost(limits.ENV_BYTES_MAX),
  });

const Argv = z
  .array(withoutNul)
  .min(1)
  .max(limits.ARGV_ITEMS_MAX)
  .refine((argv) => (argv[0] ?? '').length > 0, { error: 'must begin with the name of a program' })
  .refine((argv) => utf8Bytes(argv.join(' ')) <= limits.ARGV_BYTES_MAX, atMost(limits.ARGV_BYTES_MAX));

const Command = withoutNul
  .min(1)
  .refine((text) => utf8Bytes(text) <= limits.COMMAND_BYTES_MAX, atMost(limits.COMMAND_BYTES_MAX));

const WorkingDirectory = withoutNul
  .refine((path) => path.startsWith('/'), { error: 'must be an absolute path' })
  .refine((path) => utf8Bytes(path) <= limits.PATH_BYTES_MAX, atMost(limits.PATH_BYTES_MAX));

const LABEL_KEY = /^[A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9])?$/;
const LabelKey = z
  .string()
  .max(limits.LABEL_KEY_LENGTH_MAX)
  .regex(LABEL_KEY, { error: 'a label has letters, digits and . _ / - and ends in a letter or digit' });
const LabelValue = withoutNul.max(limits.LABEL_VALUE_LENGTH_MAX);

export const Labels = z
  .record(LabelKey, LabelValue)
  .refine((labels) => Object.keys(labels).length <= limits.LABEL_ITEMS_MAX, {
    error: `must have at most ${limits.LABEL_ITEMS_MAX} labels`,
  });

export const ExecBody = z
  .strictObject({
    command: Command.optional().meta({
      description: 'A command line for `sh -c`.',
      examples: ['echo hello'],
    }),
    argv: Argv.optional().meta({ description: 'The program and its arguments, without a shell.' }),
    env: Env.optional(),
    workingDirectory: WorkingDirectory.optional(),
    user: User.optional(),
    stdin: Stdin.optional(),
    tty: TerminalSizeBody.optional().meta({
      description: 'Give it a terminal of this size. Its output is read as stdout.',
    }),
    timeoutSeconds: z.int().min(1).max(limits.EXEC_TIMEOUT_SECONDS_MAX).optional(),
    idleTimeoutSeconds: z.int().min(1).max(limits.EXEC_TIMEOUT_SECONDS_MAX).optional().meta({
      description: 'End it as timed_out after this long without output and input.',
    }),
    queueTimeoutSeconds: z.int().min(1).max(limits.EXEC_TIMEOUT_SECONDS_MAX).optional(),
    outputBytesMax: z.int().min(0).max(limits.EXEC_OUTPUT_BYTES_DEFAULT).optional(),
    allowBackground: z.boolean().optional().meta({
      description: 'Descendants may outlive the main process; otherwise they are killed when it ends.',
    }),
    labels: Labels.optional().meta({ description: 'Your own words about it, to find it by.' }),
    ifStopped: z.enum(['start', 'fail']).optional().meta({
      description: 'What to do when the sandbox does not run: start it (the default), or answer 409.',
    }),
  })
  .superRefine(({ tty, stdin }, context) => {
    if (tty !== undefined && stdin !== undefined && stdin.kind !== 'open') {
      context.addIssue({ code: 'custom', path: ['stdin'], message: 'a terminal takes its input live' });
    }
  })
  .superRefine(({ command, argv }, context) => {
    if ((command === undefined) === (argv === undefined)) {
      context.addIssue({ code: 'custom', path: ['command'], message: 'send either `command` or `argv`' });
    }
  })
  .meta({ id: 'ExecRequest' });
export type ExecBody = z.infer<typeof ExecBody>;

const EXEC_STATES = [
  'queued',
  'starting',
  'running',
  'succeeded',
  'failed',
  'canceled',
  'timed_out',
  'output_limited',
  'oom_killed',
  'not_started',
  'lost',
] as const;
export const ExecStateName = z.enum(EXEC_STATES);

export const ExecParams = z.strictObject({ execId: idText });
export const SandboxParams = z.strictObject({ sandboxId: idText });
export const UserParams = z.strictObject({ userId: nameText });
export const UserExecParams = z.strictObject({ userId: nameText, execId: idText });

/** `k=v`. A value may hold further signs of equality. */
const LabelFilter = z
  .string()
  .regex(/^[^=]+=/, { error: 'must be name=value' })
  .transform((text): readonly [string, string] => {
    const at = text.indexOf('=');
    return [text.slice(0, at), text.slice(at + 1)];
  });

export const LabelFilters = repeated(LabelFilter, limits.LABEL_ITEMS_MAX)
  .refine((labels) => new Set(labels.map(([key]) => key)).size === labels.length, {
    error: 'a label has one value',
  })
  .transform((labels): Readonly<Record<string, string>> => Object.fromEntries(labels));

const SearchText = z
  .string()
  .max(limits.SEARCH_QUERY_LENGTH_MAX)
  .transform(searchWordsOf)
  .refine((words) => words.length > 0, { error: 'must hold a word: letters or digits' });

const filters = {
  q: SearchText.optional().meta({
    description:
      'Words that must all be in the command, the labels or the last 64 KiB of the output; `word*` finds beginnings.',
  }),
  state: repeated(ExecStateName, EXEC_STATES.length).optional(),
  label: LabelFilters.optional().meta({ description: '`name=value`; given more than once, all must hold.' }),
  createdAfter: timeText.optional().meta({ description: 'Created at this time or later.' }),
  createdBefore: timeText.optional().meta({ description: 'Created before this time.' }),
};

export const SandboxExecsQuery = z.strictObject({ ...pageQuery, ...filters });
export type SandboxExecsQuery = z.infer<typeof SandboxExecsQuery>;
export const ExecsQuery = z.strictObject({
  ...pageQuery,
  ...filters,
  sandboxId: idText.optional(),
  owner: nameText.optional(),
});
export type ExecsQuery = z.infer<typeof ExecsQuery>;
