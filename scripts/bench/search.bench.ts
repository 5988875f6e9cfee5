import { randomUUID } from 'node:crypto';
import pg from 'pg';
import type { RunningInstance } from './running-instance.js';
import { summaryOf, type Summary } from './statistics.js';

export const SEARCHED_EXECS = 10_000;
const OWNERS = 20;
/** What marks the rows of this benchmark. */
const OWNER_PREFIX = 'bench-search-';
const VOCABULARY = 20_000;
const WORD_BYTES = 8;
/** Most commands write little; every tenth as much as search knows of an output. */
const OUTPUT_BYTES = [200, 200, 500, 500, 1_000, 1_000, 2_000, 4_000, 16_000, 65_536] as const;
const ROWS_PER_STATEMENT = 250;
const DEADLINE_MS = 30_000;
const WARM_UP_ROUNDS = 5;
const SEED = 42;

/** The words of the queries are not in the vocabulary, so it is known how many execs hold them. */
const EVERYWHERE = 'everywhere';
const RARE = 'lighthouse';
const RARE_EVERY = 1_000;
const SOMETIMES = 'harbour';
const SOMETIMES_EVERY = 20;

const QUERIES = {
  'no search: the newest': 'limit=50',
  'a word of ten execs': `q=${RARE}`,
  'a word of 500 execs': `q=${SOMETIMES}`,
  'a word of all execs': `q=${EVERYWHERE}`,
  'two words': `q=${EVERYWHERE}+${SOMETIMES}`,
  'the beginning of a word': `q=light*`,
  'a word of no exec': 'q=nowhere',
  'a word, of one owner': `q=${SOMETIMES}&owner=${OWNER_PREFIX}7`,
} as const;
export type SearchReport = Readonly<Record<keyof typeof QUERIES, Summary>>;

/**
 * Searches through the public API. The rows that it searches are written into the database and removed again, since ten
 * thousand commands would take the machine for itself for many minutes; they are marked as expired, so that nothing
 * else takes an interest in them.
 */
export async function benchSearch(instance: RunningInstance, rounds: number): Promise<SearchReport> {
  const database = new pg.Client({ connectionString: instance.databaseUrl });
  await database.connect();
  try {
    await removeRows(database);
    await writeRows(database);
    const names = Object.keys(QUERIES) as (keyof typeof QUERIES)[];
    const durations = new Map(names.map((name) => [name, [] as number[]]));
    for (let round = -WARM_UP_ROUNDS; round < rounds; round += 1) {
      for (const name of names) {
        const ms = await search(instance, QUERIES[name]);
        if (round >= 0) durations.get(name)?.push(ms);
      }
    }
    return Object.fromEntries(
      names.map((name) => [name, summaryOf(durations.get(name) ?? [])]),
    ) as unknown as SearchReport;
  } finally {
    await removeRows(database);
    await database.end();
  }
}

async function search(instance: RunningInstance, query: string): Promise<number> {
  const begunAt = performance.now();
  const response = await fetch(`${instance.apiUrl}/v1/execs?${query}`, {
    headers: { 'X-Admin-Secret': instance.adminSecret },
    signal: AbortSignal.timeout(DEADLINE_MS),
  });
  const { items } = (await response.json()) as { items?: unknown[] };
  const ms = performance.now() - begunAt;
  const some = !query.includes('nowhere');
  if (items === undefined || items.length > 0 !== some)
    throw new Error(`The search ${query} found other execs.`);
  return ms;
}

async function removeRows(database: pg.Client): Promise<void> {
  await database.query(`DELETE FROM execs WHERE owner_id LIKE $1`, [`${OWNER_PREFIX}%`]);
}

async function writeRows(database: pg.Client): Promise<void> {
  const random = numbers(SEED);
  const words = Array.from({ length: VOCABULARY }, (_, n) => `w${n.toString(36)}`);
  for (let from = 0; from < SEARCHED_EXECS; from += ROWS_PER_STATEMENT) {
    const rows = Array.from({ length: ROWS_PER_STATEMENT }, (_, n) => rowOf(from + n, words, random));
    await database.query(
      `INSERT INTO execs (id, tenant_id, owner_id, sandbox_id, host_id, state, request, request_hash, created_at,
         finished_at, output_state, expired_at, erased_at, search)
       SELECT r.id, 'default', r.owner, r.id, 'bench', 'succeeded', r.request, '', now() - make_interval(secs => r.age),
         now(), 'expired', now(), now(), to_tsvector('simple', r.text)
       FROM jsonb_to_recordset($1::jsonb) AS r(id uuid, owner text, request jsonb, age int, text text)`,
      [JSON.stringify(rows)],
    );
  }
  await database.query('ANALYZE execs');
}

function rowOf(n: number, words: readonly string[], random: () => number) {
  const bytes = OUTPUT_BYTES[n % OUTPUT_BYTES.length] ?? 0;
  const output = Array.from({ length: Math.ceil(bytes / WORD_BYTES) }, () => wordOf(words, random()));
  const marks = [EVERYWHERE];
  if (n % SOMETIMES_EVERY === 7) marks.push(SOMETIMES);
  if (n % RARE_EVERY === 7) marks.push(RARE);
  return {
    id: randomUUID(),
    owner: `${OWNER_PREFIX}${n % OWNERS}`,
    request: { argv: ['sh', '-c', marks.join(' ')], labels: {}, timeoutSeconds: 60 },
    age: n,
    text: `sh c ${marks.join(' ')} ${output.join(' ')}`,
  };
}

/** Few words are frequent and most are rare, as in any text. */
function wordOf(words: readonly string[], random: number): string {
  return words[Math.floor(words.length * random ** 3)] ?? '';
}

/** The same numbers from 0 to 1 in each run (mulberry32), so that runs can be compared. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
