import { limits } from '#domain';
import { z } from 'zod';
import { nameText, pageQuery } from '../http/inputs.js';
import { ImageReference, TierNameText } from '../http/resources.js';

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

/** What a stop or a restart does with the execs that run. */
export const EndingBody = z
  .strictObject({
    running: z.enum(['end', 'wait']).optional().meta({
      description: '`end` gives them a few seconds, `wait` lets them finish. By default `end`.',
    }),
    waitSeconds: z
      .int()
      .min(1)
      .max(limits.EXECS_WAIT_SECONDS_MAX)
      .optional()
      .meta({ description: 'With `wait`: how long. The operation parks when they run even longer.' }),
  })
  .refine((body) => body.waitSeconds === undefined || body.running === 'wait', {
    path: ['waitSeconds'],
    error: 'needs `running: "wait"`',
  })
  .optional()
  .meta({ id: 'EndingRequest' });
export type EndingBody = z.infer<typeof EndingBody>;
