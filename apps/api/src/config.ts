import { limits } from '#domain';
import { z } from 'zod';

const PORT_MAX = 65_535;
const SECRET_LENGTH_MIN = 16;

const urlOf = (protocols: RegExp) =>
  z.string().refine((value) => protocols.test(value), { error: `must match ${protocols.source}` });

/** The whole configuration of the API. Every name is a variable of the environment; `.env.example` shows them. */
export const ConfigSchema = z.object({
  BERTH_INSTANCE_ID: z.string().regex(/^[A-Za-z0-9-]{1,64}$/),
  DATABASE_URL: urlOf(/^postgres(ql)?:\/\//),
  TEMPORAL_ADDRESS: z.string().regex(/^[^\s:]+:\d{1,5}$/, { error: 'must be host:port' }),
  TEMPORAL_NAMESPACE: z.string().min(1).default('default'),
  S3_ENDPOINT: urlOf(/^https?:\/\//),
  S3_REGION: z.string().min(1).default('us-east-1'),
  S3_BUCKET: z.string().min(3).default('berth'),
  S3_ACCESS_KEY: z.string().min(1),
  S3_SECRET_KEY: z.string().min(1),
  BERTH_BASE_IMAGE: z.string().min(1).max(255),
  BERTH_ADMIN_SECRET: z.string().min(SECRET_LENGTH_MIN),
  BERTH_CREDENTIAL_KEYS: z.string().min(1).optional(),
  BERTH_CREDENTIAL_KEYS_FILE: z.string().min(1).optional(),
  BERTH_API_HOST: z.string().min(1).default('127.0.0.1'),
  BERTH_API_PORT: z.coerce.number().int().min(0).max(PORT_MAX).default(3_000),
  BERTH_EXEC_WORKFLOW: z
    .string()
    .regex(/^(always|afterSeconds:\d{1,2})$/, { error: 'must be always or afterSeconds:N' })
    .default('always'),
  /** For new sandboxes whose request does not say it. 0: they are never stopped as idle. */
  BERTH_IDLE_STOP_SECONDS: z.coerce.number().int().min(0).max(limits.IDLE_STOP_SECONDS_MAX).default(0),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  BERTH_STATE_DIR: z.string().min(1).default('.berth'),
});

export interface Config {
  readonly instanceId: string;
  readonly databaseUrl: string;
  readonly temporal: { readonly address: string; readonly namespace: string };
  readonly s3: {
    readonly endpoint: string;
    readonly region: string;
    readonly bucket: string;
    readonly accessKey: string;
    readonly secretKey: string;
  };
  readonly baseImage: string;
  readonly adminSecret: string;
  /** What stored secrets are sealed with, or the file that says so. */
  readonly credentialKeys: { readonly text?: string | undefined; readonly file?: string | undefined };
  /** How old a live exec is when it gets a Workflow; 0 for each exec from its first moment. */
  readonly execWorkflow: { readonly afterMs: number };
  readonly idleStopSeconds: number | null;
  readonly host: string;
  readonly port: number;
  readonly logLevel: z.infer<typeof ConfigSchema>['LOG_LEVEL'];
  readonly stateDir: string;
}

/** Names the variable and the rule that it breaks; a value may be a secret, so it is never shown. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

export function readConfig(environment: NodeJS.ProcessEnv = process.env): Config {
  const parsed = ConfigSchema.safeParse(environment);
  if (!parsed.success) {
    const lines = parsed.error.issues.map((issue) => {
      const name = String(issue.path[0] ?? '');
      return environment[name] === undefined ? `${name} is not set` : `${name} is invalid: ${ruleOf(issue)}`;
    });
    throw new ConfigError(`The configuration of the API is not usable: ${lines.join('; ')}`);
  }
  return configFrom(parsed.data);
}

function configFrom(values: z.infer<typeof ConfigSchema>): Config {
  return Object.freeze({
    instanceId: values.BERTH_INSTANCE_ID,
    databaseUrl: values.DATABASE_URL,
    temporal: Object.freeze({ address: values.TEMPORAL_ADDRESS, namespace: values.TEMPORAL_NAMESPACE }),
    s3: Object.freeze({
      endpoint: values.S3_ENDPOINT,
      region: values.S3_REGION,
      bucket: values.S3_BUCKET,
      accessKey: values.S3_ACCESS_KEY,
      secretKey: values.S3_SECRET_KEY,
    }),
    baseImage: values.BERTH_BASE_IMAGE,
    adminSecret: values.BERTH_ADMIN_SECRET,
    credentialKeys: Object.freeze({
      text: values.BERTH_CREDENTIAL_KEYS,
      file: values.BERTH_CREDENTIAL_KEYS_FILE,
    }),
    execWorkflow: Object.freeze({ afterMs: afterMsOf(values.BERTH_EXEC_WORKFLOW) }),
    idleStopSeconds: values.BERTH_IDLE_STOP_SECONDS || null,
    host: values.BERTH_API_HOST,
    port: values.BERTH_API_PORT,
    logLevel: values.LOG_LEVEL,
    stateDir: values.BERTH_STATE_DIR,
  });
}

function afterMsOf(setting: string): number {
  return setting === 'always' ? 0 : Number(setting.split(':')[1]) * 1_000;
}

/** Only rules that are written here: a library's own message could quote the value. */
function ruleOf(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'custom':
      return issue.message;
    case 'invalid_format':
      return `must match ${issue.pattern ?? issue.format}`;
    case 'too_small':
      return `must be at least ${issue.minimum} ${issue.origin === 'string' ? 'characters' : ''}`.trimEnd();
    case 'too_big':
      return `must be at most ${issue.maximum} ${issue.origin === 'string' ? 'characters' : ''}`.trimEnd();
    case 'invalid_value':
      return `must be one of ${issue.values.join(', ')}`;
    default:
      return 'has the wrong type';
  }
}
