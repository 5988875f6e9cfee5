import { limits } from '#domain';
import { z } from 'zod';

const atLeast = (least: number) => z.coerce.number().int().min(least);

/** Everything that the worker reads from its environment. Read once, at the start, then frozen and passed down. */
const schema = z.object({
  BERTH_INSTANCE_ID: z.string().regex(/^[a-z0-9-]{4,64}$/),
  BERTH_HOST_ID: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/)
    .default('local'),
  BERTH_WORKER_ROLES: z
    .string()
    .default('control,host')
    .transform((roles) => roles.split(',').map((role) => role.trim()))
    .pipe(z.array(z.enum(['control', 'host'])).min(1)),
  DATABASE_URL: z.string().min(1),
  TEMPORAL_ADDRESS: z.string().min(1),
  TEMPORAL_NAMESPACE: z.string().min(1).default('default'),
  S3_ENDPOINT: z.string().min(1),
  S3_REGION: z.string().min(1).default('us-east-1'),
  S3_BUCKET: z.string().min(1).default('berth'),
  S3_ACCESS_KEY: z.string().min(1),
  S3_SECRET_KEY: z.string().min(1),
  DOCKER_HOST: z.string().min(1).default('unix:///var/run/docker.sock'),
  BERTH_RUNNER_DIR: z.string().min(1),
  BERTH_BASE_IMAGE: z.string().min(1),
  BERTH_CONTAINER_RUNTIME: z.string().min(1).optional(),
  BERTH_ADMIN_SECRET: z.string().min(16),
  BERTH_CREDENTIAL_KEYS: z.string().min(1).optional(),
  BERTH_CREDENTIAL_KEYS_FILE: z.string().min(1).optional(),
  /** Networks in which remotes may be although they are not public: `10.1.0.0/16,192.168.7.0/24`. */
  BERTH_GIT_ALLOWED_NETWORKS: z
    .string()
    .default('')
    .transform((text) => text.split(',').flatMap((one) => (one.trim() === '' ? [] : [one.trim()])))
    .pipe(z.array(z.union([z.cidrv4(), z.cidrv6()]))),
  /** Certificates in PEM that are trusted for remotes, instead of those of the sandbox's image. */
  BERTH_GIT_CA_FILE: z.string().min(1).optional(),
  /** What a remote may send, and what one checkout may write. */
  BERTH_GIT_BYTES_MAX: atLeast(1).max(limits.GIT_BYTES_MAX).default(limits.GIT_BYTES_MAX),
  BERTH_STREAM_ADDRESS: z.string().min(1).default('127.0.0.1'),
  BERTH_STREAM_PORT: z.coerce.number().int().min(0).max(65_535).default(0),
  BERTH_WORKER_HEALTH_PORT: z.coerce.number().int().min(0).max(65_535).default(0),
  BERTH_RETENTION_OUTPUTS_MAX: atLeast(1).default(limits.RETENTION_OUTPUTS_PER_OWNER_DEFAULT),
  BERTH_RETENTION_BYTES_MAX: atLeast(1).default(limits.RETENTION_BYTES_PER_OWNER_DEFAULT),
  BERTH_RETENTION_AGE_SECONDS_MAX: atLeast(1).default(limits.RETENTION_AGE_SECONDS_DEFAULT),
  BERTH_RETENTION_AGE_SECONDS_MIN: atLeast(0).default(limits.RETENTION_AGE_SECONDS_MIN_DEFAULT),
  BERTH_RETENTION_SNAPSHOTS_MAX: atLeast(1).default(limits.SNAPSHOTS_KEPT_DEFAULT),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
});

export type WorkerConfig = Readonly<z.output<typeof schema>>;

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

const migrationSchema = schema.pick({ DATABASE_URL: true, LOG_LEVEL: true });

/** The little that applying migrations needs. */
export function readMigrationConfig(
  environment: NodeJS.ProcessEnv = process.env,
): Readonly<z.output<typeof migrationSchema>> {
  return parsed(migrationSchema, environment);
}

/** Throws ConfigError with the names of the bad variables, never with their values. */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): WorkerConfig {
  return parsed(schema, environment);
}

function parsed<Output>(wanted: z.ZodType<Output>, environment: NodeJS.ProcessEnv): Readonly<Output> {
  const result = wanted.safeParse(environment);
  if (result.success) return Object.freeze(result.data);
  const problems = result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  throw new ConfigError(`Bad environment variables: ${problems.join('; ')}`);
}
