import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { writeFileAtomically } from './atomic-file.js';

const SECRET_BYTES = 32;

/** Generated once for an instance; the file is readable by its user alone. */
export interface Secrets {
  readonly instanceId: string;
  readonly adminSecret: string;
  readonly s3AccessKey: string;
  readonly s3SecretKey: string;
  /** For the payload codec: 32 bytes in base64. */
  readonly payloadKey: string;
  /** What stored credentials are sealed with: `id:key`, newest first. */
  readonly credentialKeys: string;
}

export function loadOrCreateSecrets(path: string): Secrets {
  const existing: Partial<Secrets> = existsSync(path) ? parseSecrets(readFileSync(path, 'utf8'), path) : {};
  const secrets: Secrets = {
    instanceId: existing.instanceId ?? randomUUID(),
    adminSecret: existing.adminSecret ?? randomBytes(SECRET_BYTES).toString('base64url'),
    s3AccessKey: existing.s3AccessKey ?? randomBytes(10).toString('hex'),
    s3SecretKey: existing.s3SecretKey ?? randomBytes(20).toString('hex'),
    credentialKeys: existing.credentialKeys ?? `1:${randomBytes(SECRET_BYTES).toString('base64')}`,
    payloadKey: existing.payloadKey ?? randomBytes(SECRET_BYTES).toString('base64'),
  };
  const isComplete = Object.keys(secrets).every((key) => key in existing);
  if (!isComplete) writeFileAtomically(path, `${JSON.stringify(secrets, null, 2)}\n`, 0o600);
  return secrets;
}

function parseSecrets(text: string, path: string): Partial<Secrets> {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null) throw new Error(`${path} does not hold a JSON object`);
  for (const [key, secret] of Object.entries(value)) {
    if (typeof secret !== 'string' || secret === '') throw new Error(`${path}: ${key} is not a text`);
  }
  return value;
}
