import { readMigrationConfig } from './config.js';
import { createLog } from './log.js';
import { connectDatabase } from './persistence.js';

/** Applies the migrations and exits: the launcher and the compose file run it before worker and API. */
const config = readMigrationConfig();
const log = createLog(config.LOG_LEVEL);
const database = await connectDatabase(config.DATABASE_URL, 'berth-migrate', log);
try {
  const applied = await database.migrate();
  log.info({ applied }, applied.length === 0 ? 'The schema is up to date.' : 'Migrations were applied.');
} finally {
  await database.close();
}
