import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { connectionOptions, Database } from './database.js';
import { PostgresWakeSender } from './wake.js';

export interface TestDatabase {
  readonly database: Database;
  readonly wakes: PostgresWakeSender;
  readonly url: string;
  drop(): Promise<void>;
}

/** A database of its own on the server of the test stack, migrated, for one test file; its files where the tablespace is. */
export async function createTestDatabase(
  serverUrl: string,
  tablespace = 'pg_default',
): Promise<TestDatabase> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  await onServer(serverUrl, `CREATE DATABASE ${name} TABLESPACE ${tablespace}`);
  const url = serverUrl.replace(/\/[^/?]*(\?|$)/, `/${name}$1`);
  const database = await Database.connect({
    url,
    applicationName: 'berth-test',
    onIdleError: () => undefined,
  });
  await database.migrate();
  const wakes = new PostgresWakeSender(database, () => undefined);
  return {
    database,
    wakes,
    url,
    async drop() {
      await wakes.flush();
      await database.close();
      await onServer(serverUrl, `DROP DATABASE ${name} WITH (FORCE)`);
    },
  };
}

export async function onServer(serverUrl: string, sql: string): Promise<void> {
  const client = new pg.Client(connectionOptions(serverUrl));
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
