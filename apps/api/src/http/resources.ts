import { z } from 'zod';

/** Parts that several resources have. */
export const timestamp = z.string().meta({ format: 'date-time' });

export const Failure = z
  .object({ code: z.string(), message: z.string() })
  .meta({ id: 'Failure', description: 'Why something did not work. Rely on `code`.' });

export const links = z.record(z.string(), z.string());

export const pageOf = <Item extends z.ZodType>(item: Item, id: string) =>
  z.object({ items: z.array(item), nextCursor: z.string().nullable() }).meta({ id });
