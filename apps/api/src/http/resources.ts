import { IMAGE_PATTERN, TIERS, type TierName } from '#domain';
import { z } from 'zod';

/** Parts that several resources have. */
export const timestamp = z.string().meta({ format: 'date-time' });

export const Failure = z
  .object({ code: z.string(), message: z.string() })
  .meta({ id: 'Failure', description: 'Why something did not work. Rely on `code`.' });

export const ImageReference = z.string().regex(IMAGE_PATTERN, {
  error: 'must be an image reference such as `berth/base:bookworm-1`',
});

export const TierNameText = z.enum(Object.keys(TIERS) as [TierName, ...TierName[]]);

export const links = z.record(z.string(), z.string());

export const pageOf = <Item extends z.ZodType>(item: Item, id: string) =>
  z.object({ items: z.array(item), nextCursor: z.string().nullable() }).meta({ id });
