import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import pg from 'pg';

/** Every form in which somebody could have written it down. */
export const formsOf = (token: string): string[] => [
  token,
  Buffer.from(token).toString('base64').slice(0, -4),
  Buffer.from(`git:${token}`).toString('base64').slice(0, -4),
  Buffer.from(token).toString('hex'),
];

/** The files below some places that hold one of the texts, compressed or not as they lie there. */
export async function filesWith(
  texts: readonly string[],
  folder: string,
  places: readonly string[],
): Promise<string[]> {
  const searching = promisify(execFile)('grep', ['-rlaF', '-D', 'skip', '-f', '-', ...places], {
    cwd: folder,
  });
  // Not as arguments, where every process of the machine could read what is secret.
  searching.child.stdin?.end(texts.join('\n'));
  try {
    const { stdout } = await searching;
    return stdout.trim().split('\n');
  } catch (error) {
    // It fails where it finds nothing, and where a file goes while it is read.
    return ((error as { stdout?: string }).stdout ?? '').split('\n').filter((line) => line !== '');
  }
}

/** The tables of the database that hold one of the texts; what is compressed on the disk is not compressed here. */
export async function tablesWith(texts: readonly string[], databaseUrl: string): Promise<string[]> {
  return await withDatabase(databaseUrl, async (client) => {
    const tables = await client.query<{ name: string }>(
      `SELECT quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = 'public'`,
    );
    const found: string[] = [];
    for (const { name } of tables.rows) {
      const { rowCount } = await client.query(
        `SELECT 1 FROM ${name} t, unnest($1::text[]) AS form WHERE strpos(t::text, form) > 0 LIMIT 1`,
        [texts],
      );
      if (rowCount !== 0) found.push(name);
    }
    return found;
  });
}

/** The credentials that came with a request of an owner, or of anybody, and have outlived its operation: their ids. */
export async function credentialsLeft(databaseUrl: string, owner: string | null = null): Promise<string[]> {
  return await withDatabase(databaseUrl, async (client) => {
    const left = await client.query<{ id: string }>(
      `SELECT id FROM credentials WHERE operation_id IS NOT NULL AND owner_id = coalesce($1, owner_id)`,
      [owner],
    );
    return left.rows.map(({ id }) => id);
  });
}

async function withDatabase<Result>(
  databaseUrl: string,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = new pg.Client(databaseUrl);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
