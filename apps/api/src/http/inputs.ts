import { isName, limits } from '#domain';
import { z } from 'zod';

const CURSOR_LENGTH_MAX = 512;
const ID_LENGTH_MAX = 128;

/** A whole number in a query: text on the wire, a number from here on. */
export const integerText = (minimum: number, maximum: number) =>
  z
    .string()
    .regex(/^\d{1,16}$/, { error: 'must be a whole number' })
    .transform(Number)
    .refine((value) => value >= minimum && value <= maximum, {
      error: `must be between ${minimum} and ${maximum}`,
    })
    .meta({ type: 'integer', minimum, maximum });

export const flagText = z
  .enum(['0', '1', 'true', 'false'])
  .transform((value) => value === '1' || value === 'true');

/** An id in a path. What is not an id cannot be found, so it is 404 and not 400. */
export const idText = z.string().min(1).max(ID_LENGTH_MAX);

/** A parameter that may be given more than once: one value or several on the wire, a list from here on. */
export const repeated = <Item extends z.ZodType>(item: Item, itemsMax: number) =>
  z.preprocess(
    (value) => (value === undefined || Array.isArray(value) ? value : [value]),
    z.array(item).max(itemsMax),
  );

/** A moment in a query: ISO 8601 with its zone. In UTC from here on. */
export const timeText = z.iso
  .datetime({ offset: true, error: 'must be a time such as 2026-01-31T12:00:00Z' })
  .transform((text) => new Date(text).toISOString());

export const nameText = z
  .string()
  .refine(isName, { error: 'must be 1 to 128 letters, digits or . _ @ -, beginning with a letter or digit' })
  .meta({ examples: ['u1'] });

export const waitText = integerText(0, limits.LONG_POLL_SECONDS_MAX)
  .optional()
  .meta({ description: 'Answer when the end is reached, or after this many seconds.' });

export const WaitQuery = z.strictObject({ wait: waitText });

export const pageQuery = {
  limit: integerText(1, limits.PAGE_SIZE_MAX).optional(),
  cursor: z.string().min(1).max(CURSOR_LENGTH_MAX).optional(),
};

/** The store takes absent members, not undefined ones. */
export function present<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
