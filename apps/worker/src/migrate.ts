import { z } from 'zod';
import { createLog } from './log.js';
import { connectDatabase } from './persistence.js';

/** Applies the migrations and exits: the launcher and the compose file run it before worker and API. */
const { DATABASE_URL } = z.object({ DATABASE_URL: z.string().min(1) }).parse(process.env);
const log = createLog('info');
const database = await connectDatabase(DATABASE_URL, 'berth-migrate', log);
try {
  const applied = await database.migrate();
  log.info({ applied }, applied.length === 0 ? 'The schema is up to date.' : 'Migrations were applied.');
} finally {
  await database.close();
}
