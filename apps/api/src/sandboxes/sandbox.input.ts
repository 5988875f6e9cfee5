import { limits, RESTART_POLICIES } from '#domain';
import { z } from 'zod';
import { nameText, pageQuery } from '../http/inputs.js';
import { ImageReference, TierNameText } from '../http/resources.js';

const settings = {
  restartPolicy: z.enum(RESTART_POLICIES).optional().meta({
    description:
      'Whether it is started again when it ends although it should run: `on-failure` (the default) where it failed or is gone, `always` also where somebody ended it in order.',
  }),
  idleStopSeconds: z
    .int()
    .min(limits.IDLE_STOP_SECONDS_MIN)
    .max(limits.IDLE_STOP_SECONDS_MAX)
    .nullable()
    .optional()
    .meta({ description: 'Stop it after so long without an exec; the next exec starts it. Null: never.' }),
};

export const SettingsBody = z.strictObject(settings).meta({
  id: 'SandboxSettings',
  description: 'What is absent stays as it is.',
});
export type SettingsBody = z.infer<typeof SettingsBody>;

export const SandboxBody = z
  .strictObject({
    owner: nameText,
    name: nameText.optional().meta({ description: 'Unique for the owner. By default `default`.' }),
    image: ImageReference.optional(),
    tier: TierNameText.optional(),
    ...settings,
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
