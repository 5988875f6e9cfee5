import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import {
  credentialId,
  hostId,
  limits,
  operationId,
  ownerId,
  sandboxId,
  tenantId,
  type NewCredential,
  type OperationId,
} from '#domain';
import { runningStack } from '../../../../test/stack/running-stack.js';
import { SealingKeys } from '../sealing-keys.js';
import { createTestDatabase, type TestDatabase } from '../testing-database.js';
import { PostgresCredentialStore } from './credential.store.js';
import { PostgresOperationStore } from './operation.store.js';
import { PostgresSandboxStore } from './sandbox.store.js';

const TENANT = tenantId('default');
const LIMIT = 100;
const HOUR_MS = 3_600_000;
const newKey = (name: string): string => `${name}:${randomBytes(32).toString('base64')}`;

let test: TestDatabase;
let store: PostgresCredentialStore;
let key: string;
let owner: string;

beforeAll(async () => {
  test = await createTestDatabase(runningStack().databaseUrl);
  key = newKey('a');
  store = new PostgresCredentialStore(test.database, SealingKeys.parse(key));
});
afterAll(async () => test.drop());
beforeEach(() => {
  owner = `o-${uuidv7()}`;
});

const credential = (change: Partial<NewCredential> = {}): NewCredential => ({
  id: credentialId(uuidv7()),
  tenantId: TENANT,
  ownerId: ownerId(owner),
  host: 'git.example.org',
  username: 'git',
  secret: 'the secret',
  operationId: null,
  ...change,
});

async function opened(one: NewCredential): Promise<string | undefined> {
  return (await store.open(one.tenantId, one.ownerId, one.id))?.secret;
}

/** An operation that holds its sandbox. */
async function liveOperation(): Promise<OperationId> {
  const id = sandboxId(uuidv7());
  const start = { id: operationId(uuidv7()), tenantId: TENANT, ownerId: ownerId(owner), sandboxId: id };
  await new PostgresSandboxStore(test.database).ensureStarted(
    {
      id,
      tenantId: TENANT,
      ownerId: ownerId(owner),
      name: id,
      image: 'i',
      tier: 'small',
      hostId: hostId('local'),
      settings: {},
    },
    { ...start, kind: 'start', requestHash: 'h' },
  );
  return start.id;
}

describe('a stored credential', () => {
  it('opens for its owner alone, and its secret is nowhere else', async () => {
    const one = credential();
    const { row, created } = await store.create(one);
    expect([created, JSON.stringify(row).includes(one.secret)]).toEqual([true, false]);
    expect(await opened(one)).toBe('the secret');
    expect(await opened({ ...one, ownerId: ownerId('another') })).toBeUndefined();
    expect(await opened({ ...one, tenantId: tenantId('another') })).toBeUndefined();
    const [stored] = await test.database.query<{ text: string }>(
      `SELECT c::text || encode(c.sealed, 'escape') AS text FROM credentials c WHERE c.id = $1`,
      [one.id],
    );
    expect(stored?.text).toContain(owner);
    expect(stored?.text).not.toContain(one.secret);
  });

  it('is the same when its request comes again, and counts against the limit of its owner once', async () => {
    const one = credential();
    await store.create(one);
    expect(await store.create({ ...one, secret: 'another' })).toMatchObject({ created: false });
    expect(await opened(one)).toBe('the secret');
    for (let count = 1; count < limits.CREDENTIALS_PER_OWNER_MAX; count++) await store.create(credential());
    await expect(store.create(credential())).rejects.toMatchObject({ code: 'rate_limited' });
    expect(await store.create(one)).toMatchObject({ created: false });
  });

  it('does not open where its row says another host or owner, or where its key is not there', async () => {
    const one = credential();
    await store.create(one);
    await test.database.query(`UPDATE credentials SET host = 'evil.test' WHERE id = $1`, [one.id]);
    await expect(opened(one)).rejects.toThrow('unable to authenticate');
    await test.database.query(`UPDATE credentials SET host = $2 WHERE id = $1`, [one.id, one.host]);
    const other = new PostgresCredentialStore(test.database, SealingKeys.parse(newKey('b')));
    await expect(other.open(TENANT, one.ownerId, one.id)).rejects.toMatchObject({ code: 'invalid_state' });
    const rotated = new PostgresCredentialStore(test.database, SealingKeys.parse(`${newKey('b')},${key}`));
    expect((await rotated.open(TENANT, one.ownerId, one.id))?.secret).toBe('the secret');
  });

  it('is removed by its owner, and not where it is of an operation', async () => {
    const one = credential();
    const brought = credential({ operationId: operationId(uuidv7()) });
    await store.create(one);
    await store.create(brought);
    expect((await store.list(TENANT, { ownerId: one.ownerId, limit: 9 })).items.map(({ id }) => id)).toEqual([
      one.id,
    ]);
    expect(await store.remove(TENANT, one.id)).toBe(true);
    expect(await store.remove(TENANT, one.id)).toBe(false);
    expect(await store.remove(TENANT, brought.id)).toBe(false);
  });
});

describe('a credential that came with a request', () => {
  it('is swept once its operation has ended, or never came to be within its time', async () => {
    const [live, never] = [await liveOperation(), operationId(uuidv7())];
    const [ofLive, ofNever] = [live, never].map((id) => credential({ operationId: id })) as [
      NewCredential,
      NewCredential,
    ];
    await store.create(ofLive);
    await store.create(ofNever);
    await store.removeLeft(HOUR_MS, LIMIT);
    expect([await opened(ofLive), await opened(ofNever)]).toEqual(['the secret', 'the secret']);
    await test.database.query(
      `UPDATE credentials SET created_at = now() - interval '2 hours' WHERE owner_id = $1`,
      [owner],
    );
    await store.removeLeft(HOUR_MS, LIMIT);
    expect([await opened(ofLive), await opened(ofNever)]).toEqual(['the secret', undefined]);
    await new PostgresOperationStore(test.database).move(live, ['pending'], 'failed');
    await store.removeLeft(HOUR_MS, LIMIT);
    expect(await opened(ofLive)).toBeUndefined();
  });

  it('goes with its operation', async () => {
    const one = credential({ operationId: operationId(uuidv7()) });
    await store.create(one);
    await store.removeOfOperation(one.operationId as OperationId);
    expect(await opened(one)).toBeUndefined();
  });

  it('goes with a request that failed, unless its operation came to be all the same', async () => {
    const [live, never] = [await liveOperation(), operationId(uuidv7())];
    const [needed, unused] = [credential({ operationId: live }), credential({ operationId: never })];
    for (const one of [needed, unused]) await store.create(one);
    for (const id of [live, never]) await store.removeUnused(id);
    expect([await opened(needed), await opened(unused)]).toEqual(['the secret', undefined]);
  });
});
