import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { BerthClient } from './berth-client.js';
import { processorShares, type ProcessorShares } from './process-costs.js';
import type { RunningInstance } from './running-instance.js';

const OWNER = 'bench-idle-rows';
const SETTLE_MS = 30_000;
const WATCH_MS = 120_000;

export interface IdleRowsReport {
  readonly rows: number;
  /** Parts of one core that each process took while nothing was asked for, before the rows were there and with them. */
  readonly before: ProcessorShares;
  readonly withRows: ProcessorShares;
}

/**
 * What many sandboxes cost that are down. They are rows, copied from one that was made and stopped: whoever passes over the
 * rows of a host does to each of them what it does to that one.
 */
export async function benchIdleRows(
  instance: RunningInstance,
  rows: number,
  onProgress: (line: string) => void,
): Promise<IdleRowsReport> {
  const client = await BerthClient.open(instance);
  const database = new pg.Client({ connectionString: instance.databaseUrl });
  await database.connect();
  try {
    await removeRows(database);
    const model = await client.runningSandbox(OWNER);
    await client.change('POST', `${model}/stop`);
    const before = await watch(instance, onProgress, 'without the rows');
    await database.query(
      `INSERT INTO sandboxes SELECT (jsonb_populate_record(s, jsonb_build_object(
         'id', gen_random_uuid(), 'owner_id', $2::text, 'name', 'row-' || n, 'observed_state', 'missing'))).*
       FROM sandboxes s, generate_series(1, $3::int) n WHERE s.id = $1`,
      [model, ROWS_OWNER, rows],
    );
    const withRows = await watch(instance, onProgress, `with ${rows} rows`);
    await client.change('DELETE', model);
    return { rows, before, withRows };
  } finally {
    await removeRows(database);
    await database.end();
    client.close();
  }
}

/** Apart from the model, which is a real sandbox and is deleted as one. */
const ROWS_OWNER = `${OWNER}-copies`;

async function watch(
  instance: RunningInstance,
  onProgress: (line: string) => void,
  what: string,
): Promise<ProcessorShares> {
  onProgress(`${what}: ${SETTLE_MS / 1_000} s until it is quiet, then watched for ${WATCH_MS / 1_000} s`);
  await delay(SETTLE_MS);
  return await processorShares(instance, WATCH_MS);
}

async function removeRows(database: pg.Client): Promise<void> {
  await database.query('DELETE FROM sandboxes WHERE owner_id = $1', [ROWS_OWNER]);
}
