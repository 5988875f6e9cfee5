import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { DomainError } from '#domain';

const ALGORITHM = 'aes-256-gcm';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY = /^([A-Za-z0-9-]{1,32}):([A-Za-z0-9+/]{43}=)$/;

export interface Sealed {
  readonly keyId: string;
  readonly bytes: Buffer;
}

/**
 * The keys that secrets are sealed with where they are stored: `id:key` in base64, separated by commas. The first one seals,
 * the others still open what they have sealed, so a key is replaced by putting a new one before it.
 */
export class SealingKeys {
  private constructor(
    private readonly current: string,
    private readonly keys: ReadonlyMap<string, Buffer>,
  ) {}

  /** From the text, else from the file. Without either there are no keys, and the first secret that needs one says so. */
  static of({
    text,
    file,
  }: {
    readonly text?: string | undefined;
    readonly file?: string | undefined;
  }): SealingKeys {
    if (text !== undefined) return SealingKeys.parse(text);
    return file === undefined
      ? new SealingKeys('', new Map())
      : SealingKeys.parse(readFileSync(file, 'utf8'));
  }

  /** Throws without showing what it was given. */
  static parse(text: string): SealingKeys {
    const keys = new Map<string, Buffer>();
    for (const one of text.trim().split(',')) {
      const [, id = '', key = ''] = KEY.exec(one.trim()) ?? [];
      const bytes = Buffer.from(key, 'base64');
      if (id === '' || bytes.length !== KEY_BYTES || keys.has(id)) {
        throw new TypeError('A key is `id:key`, each id once and each key 32 bytes in base64.');
      }
      keys.set(id, bytes);
    }
    const [current = ''] = keys.keys();
    return new SealingKeys(current, keys);
  }

  /** `context` names the row: what is sealed for one row opens in no other. */
  seal(secret: string, context: string): Sealed {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.keyOf(this.current), nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(Buffer.from(context));
    const text = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()]);
    return { keyId: this.current, bytes: Buffer.concat([nonce, cipher.getAuthTag(), text]) };
  }

  open({ keyId, bytes }: Sealed, context: string): string {
    const nonce = bytes.subarray(0, NONCE_BYTES);
    const decipher = createDecipheriv(ALGORITHM, this.keyOf(keyId), nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(Buffer.from(context));
    decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
    const text = decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES));
    return Buffer.concat([text, decipher.final()]).toString('utf8');
  }

  private keyOf(id: string): Buffer {
    const key = this.keys.get(id);
    if (key !== undefined) return key;
    throw new DomainError(
      'invalid_state',
      'BERTH_CREDENTIAL_KEYS does not hold the key for this credential.',
      {
        detail: `The key ${id === '' ? 'to seal with' : id} is not configured.`,
      },
    );
  }
}
