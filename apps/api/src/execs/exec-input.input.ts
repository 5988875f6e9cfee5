import { limits, SENDABLE_SIGNALS } from '#domain';
import { z } from 'zod';
import { flagText, integerText } from '../http/inputs.js';

const ACCOUNT = '[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}';

export const User = z
  .string()
  .max(limits.USER_LENGTH_MAX)
  .regex(new RegExp(`^${ACCOUNT}(?::${ACCOUNT})?$`), { error: 'must be a user, or user:group' })
  .meta({ description: 'A name or number of the sandbox, with a group or not. Root is refused.' });

const base64BytesMax = Math.ceil(limits.STDIN_INLINE_BYTES_MAX / 3) * 4;

export const Stdin = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('none') }),
    z.strictObject({
      kind: z.literal('inline'),
      base64: z.base64().max(base64BytesMax, {
        error: `must hold at most ${limits.STDIN_INLINE_BYTES_MAX} bytes`,
      }),
    }),
    z.strictObject({ kind: z.literal('open') }),
  ])
  .meta({
    description:
      'Where the standard input comes from: nothing (the default), these bytes and then the end, or what PUT …/stdin brings.',
  });

/** Sizes that no terminal has come from mistakes, not from attacks: they are brought into bounds. */
const side = z.int().transform((value) => Math.min(Math.max(value, 1), limits.TERMINAL_SIZE_MAX));

export const TerminalSizeBody = z
  .strictObject({ columns: side, rows: side })
  .meta({ id: 'TerminalSize', description: `Brought into 1 to ${limits.TERMINAL_SIZE_MAX}.` });

export const WriterName = z
  .string()
  .min(1)
  .max(limits.STDIN_WRITER_LENGTH_MAX)
  .regex(/^[\x21-\x7e]+$/, { error: 'must be printable ASCII without spaces' });

export const StdinQuery = z
  .strictObject({
    offset: integerText(0, Number.MAX_SAFE_INTEGER).meta({
      description: 'That of the first byte within the whole input.',
    }),
    eof: flagText.optional().meta({ description: 'The input ends after these bytes.' }),
    writer: WriterName.optional().meta({ description: 'Who writes, where that has been taken.' }),
    take: flagText.optional().meta({ description: 'From here on only `writer` may write.' }),
  })
  .refine(({ writer, take }) => !take || writer !== undefined, {
    path: ['writer'],
    error: 'say who takes the input',
  });
export type StdinQuery = z.infer<typeof StdinQuery>;

export const SignalBody = z.strictObject({ signal: z.enum(SENDABLE_SIGNALS) }).meta({ id: 'SignalRequest' });

export const ResizeBody = z
  .strictObject({ columns: side, rows: side, writer: WriterName.optional() })
  .meta({ id: 'ResizeRequest' });
