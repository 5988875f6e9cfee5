import { once } from 'node:events';
import { Runtime } from '@temporalio/worker';
import { SealingKeys } from '#postgres';
import { ensureSchedules, TemporalConnection, TemporalWorkflowRuns } from '#temporal';
import { ConfigError, readConfig, type WorkerConfig } from './config.js';
import { createControlRole } from './control-role.js';
import { serveHealth } from './health.js';
import { createHostRole } from './host-role.js';
import { createLog, temporalLogger } from './log.js';
import { createObjectStore } from './objects.js';
import { connectDatabase } from './persistence.js';
import { createStores } from './stores.js';
import { connectTemporal, createWorkers } from './workers.js';

/** Everything that a worker leaves behind another one can take over, so a slow end is worth less than a quick one. */
const STOP_DEADLINE_MS = 8_000;

/** Runs until a signal asks it to stop or a Temporal worker fails. Stopping detaches from commands and never ends one. */
async function run(config: WorkerConfig): Promise<void> {
  const log = createLog(config.LOG_LEVEL);
  Runtime.install({ shutdownSignals: [], logger: temporalLogger(log) });
  const asked = stopRequested();

  const database = await connectDatabase(config.DATABASE_URL, 'berth-worker', log);
  const keys = SealingKeys.of({
    text: config.BERTH_CREDENTIAL_KEYS,
    file: config.BERTH_CREDENTIAL_KEYS_FILE,
  });
  const stores = createStores(database, keys, log);
  const temporal = TemporalConnection.open({
    address: config.TEMPORAL_ADDRESS,
    namespace: config.TEMPORAL_NAMESPACE,
  });
  const runs = new TemporalWorkflowRuns(temporal);
  const objects = createObjectStore(config);
  const roles = new Set(config.BERTH_WORKER_ROLES);
  const control = roles.has('control') ? createControlRole(config, stores, objects, runs, log) : undefined;
  const host = roles.has('host') ? createHostRole(config, stores, objects, runs, log) : undefined;
  await host?.start();

  const connection = await connectTemporal(config.TEMPORAL_ADDRESS, log);
  const workers = await createWorkers(connection, config, { control, host });
  if (control) await ensureSchedules(temporal);
  const health = await serveHealth(config.BERTH_WORKER_HEALTH_PORT, workers);
  const running = Promise.all([...workers.values()].map((worker) => worker.run()));
  log.info({ taskQueues: [...workers.keys()] }, 'The worker is up.');

  await Promise.race([asked, running]);
  log.info({}, 'The worker stops; commands in sandboxes go on.');
  setTimeout(() => {
    log.warn({}, 'Some Activities did not end in time and are left to the next worker.');
    process.exit(0);
  }, STOP_DEADLINE_MS).unref();
  health.close();
  for (const worker of workers.values()) if (worker.getState() === 'RUNNING') worker.shutdown();
  await host?.stop();
  await running;
  await stores.wake.flush();
  objects.close();
  await Promise.allSettled([connection.close(), temporal.close(), database.close()]);
}

async function stopRequested(): Promise<void> {
  await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
}

try {
  await run(readConfig());
  process.exit(0);
} catch (error) {
  if (error instanceof ConfigError) process.stderr.write(`${error.message}\n`);
  else createLog('info').fatal({ err: error }, 'The worker failed.');
  process.exit(1);
}
