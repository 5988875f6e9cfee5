import { limits, RESTART_POLICIES } from '#domain';
import { z } from 'zod';
import { LabelFilters, Labels } from '../execs/exec.input.js';
import { idText, nameText, pageQuery } from '../http/inputs.js';
import { ImageReference, TierNameText } from '../http/resources.js';

const seconds = (least: number, most: number, byDefault: number, what: string) =>
  z
    .int()
    .min(least)
    .max(most)
    .default(byDefault)
    .meta({ description: `${what} By default ${byDefault}.` });

/** How it is asked; by `refine`, as OpenAPI has no better word for "one of them". */
const HealthCheckBody = z
  .strictObject({
    command: z
      .array(z.string().min(1))
      .min(1)
      .max(limits.HEALTH_COMMAND_ITEMS_MAX)
      .refine(
        (argv) =>
          Buffer.byteLength(argv.join(' ')) <= limits.HEALTH_COMMAND_BYTES_MAX &&
          !argv.join('').includes('\0'),
        {
          error: `is at most ${limits.HEALTH_COMMAND_BYTES_MAX} bytes without NUL`,
        },
      )
      .nullable()
      .default(null)
      .meta({ description: 'Runs in the sandbox as an exec would; exit code 0 is well.' }),
    http: z
      .strictObject({
        port: z.int().min(1).max(65_535),
        path: z
          .string()
          .regex(/^\/[\x21-\x7e]*$/)
          .max(limits.HEALTH_PATH_LENGTH_MAX)
          .default('/'),
      })
      .nullable()
      .default(null)
      .meta({ description: "Asked on the sandbox's own loopback; a status from 200 to 399 is well." }),
    intervalSeconds: seconds(
      limits.HEALTH_INTERVAL_SECONDS_MIN,
      limits.HEALTH_INTERVAL_SECONDS_MAX,
      limits.HEALTH_INTERVAL_SECONDS_DEFAULT,
      'How often it is asked.',
    ),
    timeoutSeconds: seconds(
      1,
      limits.HEALTH_TIMEOUT_SECONDS_MAX,
      limits.HEALTH_TIMEOUT_SECONDS_DEFAULT,
      'How long an answer may take.',
    ),
    failuresMax: seconds(
      1,
      limits.HEALTH_FAILURES_MAX,
      limits.HEALTH_FAILURES_DEFAULT,
      'So many failures in a row are unhealthy.',
    ),
    startSeconds: seconds(
      1,
      limits.HEALTH_START_SECONDS_MAX,
      limits.HEALTH_START_SECONDS_DEFAULT,
      'How long a start waits for the first time that it is well.',
    ),
  })
  .refine(({ command, http }) => (command === null) !== (http === null), {
    error: 'needs either `command` or `http`',
  })
  .meta({ id: 'HealthCheck' });

const settings = {
  healthCheck: HealthCheckBody.nullable()
    .optional()
    .meta({ description: 'How the sandbox is asked whether it is well. Null: it is not asked.' }),
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
    .meta({
      description:
        'Stop it after so long without an exec or a file on its way; the next exec starts it. Null: never.',
    }),
  snapshotOnRestart: z.boolean().optional().meta({
    description: 'Whether a restart that does not say otherwise begins with a snapshot. By default not.',
  }),
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
    labels: Labels.optional().meta({ description: 'Your own words about it, to find and select it by.' }),
    ...settings,
    snapshotId: idText.optional().meta({
      description: 'Only for a sandbox that is made: it begins with this workspace.',
    }),
  })
  .meta({ id: 'SandboxRequest' });
export type SandboxBody = z.infer<typeof SandboxBody>;

export const SandboxesQuery = z.strictObject({
  ...pageQuery,
  owner: nameText.optional(),
  label: LabelFilters.optional(),
});
export type SandboxesQuery = z.infer<typeof SandboxesQuery>;

/** What becomes of the execs that run. */
const ending = {
  running: z.enum(['end', 'wait']).optional().meta({
    description: '`end` gives them a few seconds, `wait` lets them finish. By default `end`.',
  }),
  waitSeconds: z
    .int()
    .min(1)
    .max(limits.EXECS_WAIT_SECONDS_MAX)
    .optional()
    .meta({ description: 'With `wait`: how long. The operation parks when they run even longer.' }),
};

const WAIT_WITHOUT_WISH = { path: ['waitSeconds'], error: 'needs `running: "wait"`' };
const isWaitWished = (body: { waitSeconds?: number | undefined; running?: string | undefined }): boolean =>
  body.waitSeconds === undefined || body.running === 'wait';

export const EndingBody = z
  .strictObject(ending)
  .refine(isWaitWished, WAIT_WITHOUT_WISH)
  .optional()
  .meta({ id: 'EndingRequest' });
export type EndingBody = z.infer<typeof EndingBody>;

export const RestartBody = z
  .strictObject({
    ...ending,
    snapshot: z.boolean().optional().meta({
      description:
        'Whether it begins with a snapshot. By default as `snapshotOnRestart` of the sandbox says.',
    }),
  })
  .refine(isWaitWished, WAIT_WITHOUT_WISH)
  .optional()
  .meta({ id: 'RestartRequest' });
export type RestartBody = z.infer<typeof RestartBody>;

export const RestoreBody = z
  .strictObject({ ...ending, snapshotId: idText })
  .refine(isWaitWished, WAIT_WITHOUT_WISH)
  .meta({ id: 'RestoreRequest' });
export type RestoreBody = z.infer<typeof RestoreBody>;

export const ChangeBody = z
  .strictObject({ ...ending, image: ImageReference.optional(), tier: TierNameText.optional() })
  .refine(isWaitWished, WAIT_WITHOUT_WISH)
  .refine((body) => body.image !== undefined || body.tier !== undefined, {
    error: 'needs `image` or `tier`',
  })
  .meta({ id: 'ChangeRequest' });
export type ChangeBody = z.infer<typeof ChangeBody>;
