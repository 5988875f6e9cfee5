import { TIERS, type TierName } from '#domain';
import { z } from 'zod';
import { nameText, pageQuery } from '../http/inputs.js';

/** An image reference as Docker takes it. It cannot begin with a dash, and it names no scheme. */
const ImageReference = z.string().regex(/^[a-z0-9][a-zA-Z0-9._:/@-]{0,254}$/, {
  error: 'must be an image reference such as `berth/base:bookworm-1`',
});

export const TierNameText = z.enum(Object.keys(TIERS) as [TierName, ...TierName[]]);

export const SandboxBody = z
  .strictObject({
    owner: nameText,
    name: nameText.optional().meta({ description: 'Unique for the owner. By default `default`.' }),
    image: ImageReference.optional(),
    tier: TierNameText.optional(),
  })
  .meta({ id: 'SandboxRequest' });
export type SandboxBody = z.infer<typeof SandboxBody>;

export const SandboxesQuery = z.strictObject({ ...pageQuery, owner: nameText.optional() });
export type SandboxesQuery = z.infer<typeof SandboxesQuery>;
