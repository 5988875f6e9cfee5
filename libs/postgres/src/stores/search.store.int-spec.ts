import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ownerId, searchText, searchWordsOf, tenantId, type ExecId, type ExecListQuery } from '#domain';
import { SealingWorld } from '../../../../test/stack/sealing-world.js';
import { PostgresExecStore } from './exec.store.js';

const TENANT = tenantId('default');
const ROWS = 10_000;
const RARE_EVERY = 1_000;

let world: SealingWorld;
beforeAll(async () => {
  world = await SealingWorld.open();
}, 60_000);
afterAll(async () => world.close());

async function found(text: string, query: Partial<ExecListQuery> = {}, tenant = TENANT): Promise<ExecId[]> {
  const page = await world.execs.list(tenant, { words: searchWordsOf(text), limit: 50, ...query });
  return page.items.map((one) => one.id);
}

describe('a search', () => {
  it('finds a live exec by its command and its labels, and an ended one by the end of its output, too', async () => {
    const id = await world.runningExec('s1', ['make', '-C', '/srv/Harbour', 'install']);
    await world.write(id, { bytes: Buffer.from('The lighthouse is lit.\n') });
    expect(await found('harbour sealing test')).toEqual([id]);
    expect(await found('lighthouse')).toEqual([]);
    await world.end(id);
    const [unindexed] = await world.search.listUnindexed(10);
    expect(unindexed).toMatchObject({ id });
    await world.search.index([{ id, text: searchText(`${unindexed?.text} The lighthouse is lit.`) }]);
    expect(await found('LIGHTHOUSE harbour')).toEqual([id]);
    expect(await found('light* har*')).toEqual([id]);
    expect(await found('light')).toEqual([]);
    expect(await world.search.listUnindexed(10)).toEqual([]);
  });

  it('takes what looks like an operator for what parts words', async () => {
    expect(await found("lighthouse & !(lit | ')")).toHaveLength(1);
    expect(await found('lighthouse:*A <-> lit')).toEqual([]);
  });

  it('stays with its tenant and its owner', async () => {
    expect(await found('lighthouse', {}, tenantId('other'))).toEqual([]);
    expect(await found('lighthouse', { ownerId: ownerId('s2') })).toEqual([]);
    expect(await found('lighthouse', { ownerId: ownerId('s1') })).toHaveLength(1);
  });

  it('comes out of an index, for rare words and for frequent ones', async () => {
    const { database } = world.test;
    await database.query(
      `INSERT INTO execs (id, tenant_id, owner_id, sandbox_id, host_id, state, request, request_hash, created_at,
         finished_at, search)
       SELECT gen_random_uuid(), 'default', 'many', gen_random_uuid(), 'local', 'succeeded', '{"argv": ["x"]}', '',
         now() - make_interval(secs => n), now(),
         to_tsvector('simple', 'everywhere ' || CASE WHEN n % $2 = 0 THEN 'rare ' ELSE '' END || repeat(md5(n::text) || ' ', 50))
       FROM generate_series(1, $1) n`,
      [ROWS, RARE_EVERY],
    );
    await database.query('ANALYZE execs');
    expect(await found('rare everywhere')).toHaveLength(ROWS / RARE_EVERY);
    expect(await found('everywhere')).toHaveLength(50);
    expect((await plansOf('rare')).join()).toContain('execs_search');
    expect((await plansOf('everywhere')).join()).toContain('execs_list');
    for (const word of ['rare', 'everywhere', 'nowhere'])
      expect((await plansOf(word)).join()).not.toContain('Seq Scan on execs');
  }, 60_000);
});

/** How the database would run the store's own statement. */
async function plansOf(word: string): Promise<string[]> {
  const plans: string[] = [];
  const { database } = world.test;
  const query = database.query.bind(database);
  const explaining = Object.create(database) as typeof database;
  explaining.query = async <Row>(sql: string, parameters?: readonly unknown[]): Promise<Row[]> => {
    const rows = await query<{ 'QUERY PLAN': string }>(`EXPLAIN ${sql}`, parameters);
    plans.push(...rows.map((row) => row['QUERY PLAN']));
    return [];
  };
  const store = new PostgresExecStore(explaining, world.test.wakes);
  await store.list(TENANT, { words: searchWordsOf(word), limit: 50 });
  return plans;
}
