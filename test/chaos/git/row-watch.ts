import pg from 'pg';
import type { EventEmitter } from 'node:events';
import { pause } from '../pause.js';

/** What is being recorded takes a few milliseconds. */
const LOOK_MS = 5;
const AGAIN_MS = 250;
const ENDING = `SELECT id FROM operations
  WHERE state = 'running' AND kind IN ('git_push', 'git_commit_and_push') AND steps @> '[{"name": "record_git"}]'`;

/** Tells when a push is known and its end is being recorded, as soon as the row shows it: the moment is too short for a client. */
export async function watchEndings(
  databaseUrl: string,
  moments: EventEmitter,
  signal: AbortSignal,
): Promise<void> {
  const seen = new Set<string>();
  while (!signal.aborted) {
    const client = new pg.Client(databaseUrl);
    // It is cut off with its server, and told so below as well.
    client.on('error', () => undefined);
    try {
      await client.connect();
      for (; !signal.aborted; await pause(LOOK_MS, signal)) {
        const { rows } = await client.query<{ id: string }>(ENDING);
        const isNews = rows.some(({ id }) => !seen.has(id));
        for (const { id } of rows) seen.add(id);
        if (isNews) moments.emit('recording');
      }
    } catch {
      // The database is what is hurt just now: there is nothing to see until it is back.
      await pause(AGAIN_MS, signal);
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}
