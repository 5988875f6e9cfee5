import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { runningStack } from '../../../test/stack/running-stack.js';
import { Database } from './database.js';
import { createTestDatabase, type TestDatabase } from './testing-database.js';

let test: TestDatabase;
beforeAll(async () => {
  test = await createTestDatabase(runningStack().databaseUrl);
});
afterAll(async () => test.drop());

describe('the schema', () => {
  it('is the same by migrations and by entities', async () => {
    expect(await test.database.drift()).toEqual([]);
  });

  it('shows drift when a column is not in the entities', async () => {
    await test.database.query('ALTER TABLE hosts ADD COLUMN surplus text');
    expect(await test.database.drift()).toEqual([expect.stringContaining('surplus')]);
    await test.database.query('ALTER TABLE hosts DROP COLUMN surplus');
  });

  it('is migrated once by processes that start at the same time', async () => {
    expect(await Promise.all([test.database.migrate(), test.database.migrate()])).toEqual([[], []]);
  });

  it('has tenant and owner in every table', async () => {
    const rows = await test.database.query<{ table: string }>(
      `SELECT t.table_name AS table FROM information_schema.tables t
       WHERE t.table_schema = 'public' AND t.table_name <> 'migrations' AND 2 <> (
         SELECT count(*) FROM information_schema.columns c
         WHERE c.table_name = t.table_name AND c.column_name IN ('tenant_id', 'owner_id'))`,
    );
    expect(rows).toEqual([]);
  });
});

describe('a database that is away', () => {
  it('is `dependency_unavailable` naming postgres', async () => {
    const connecting = Database.connect({
      url: 'postgres://berth@127.0.0.1:1/berth',
      applicationName: 'berth-test',
      onIdleError: () => undefined,
    });
    await expect(connecting).rejects.toMatchObject({
      code: 'dependency_unavailable',
      dependency: 'postgres',
    });
  });
});
