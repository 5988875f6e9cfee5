import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { isDomainError, StoredOutput, verifyOutput, type Digest } from '#domain';
import {
  Database,
  PostgresBulkStore,
  PostgresCredentialStore,
  PostgresExecStore,
  PostgresHostStore,
  PostgresIdempotencyStore,
  PostgresOperationStore,
  PostgresSandboxStore,
  PostgresSegmentStore,
  PostgresSnapshotStore,
  PostgresWakeReceiver,
  PostgresWakeSender,
  SealingKeys,
} from '#postgres';
import { S3ObjectStore } from '#s3';
import { HttpHostLink } from '#stream';
import { V8Buffers } from '#v8';
import { TemporalConnection, TemporalWorkflowRuns } from '#temporal';
import type { Logger } from 'pino';
import type { Config } from './config.js';
import { hostProbe, postgresProbe, s3Probe, sealingLagProbe, temporalProbe } from './health/probes.js';
import { OutputInTurn } from './output/output-in-turn.js';
import { SharedOutput } from './output/shared-output.js';
import type { ApiPorts } from './tokens.js';

/** More would be memory that slow readers are said to need. */
const HEAP_GROWTH_PERCENT = 40;
const CONNECT_RETRY_MS = 500;
const CONNECT_GIVE_UP_AFTER_MS = 120_000;

export interface OpenAdapters {
  readonly ports: ApiPorts;
  close(): Promise<void>;
}

/** Opens everything that the API talks to. Only the database must answer: it alone says what exists. */
export async function openAdapters(config: Config, log: Logger): Promise<OpenAdapters> {
  const database = await connectDatabase(config.databaseUrl, log);
  const temporal = TemporalConnection.open(config.temporal);
  const wakeSender = new PostgresWakeSender(database, (error) =>
    log.warn({ err: error }, 'A wake-up could not be sent.'),
  );
  const wakeReceiver = new PostgresWakeReceiver(config.databaseUrl, (error) =>
    log.warn({ err: error }, 'The connection for wake-ups was lost.'),
  );
  await wakeReceiver.start();
  const hosts = new PostgresHostStore(database);
  const buffers = new V8Buffers(HEAP_GROWTH_PERCENT);
  const hostLink = new HttpHostLink(hosts, config.adminSecret, buffers, log);
  const objects = new S3ObjectStore(config.s3);
  const execs = new PostgresExecStore(database, wakeSender);
  const segments = new PostgresSegmentStore(database);
  return {
    ports: {
      sandboxes: new PostgresSandboxStore(database),
      operations: new PostgresOperationStore(database),
      snapshots: new PostgresSnapshotStore(database),
      execs,
      bulks: new PostgresBulkStore(database),
      credentials: new PostgresCredentialStore(database, SealingKeys.of(config.credentialKeys)),
      output: new SharedOutput(new StoredOutput(new OutputInTurn(execs, buffers), segments, objects)),
      verifier: {
        verify: (exec, signal) => verifyOutput({ hot: execs, segments, objects, newDigest }, exec, signal),
      },
      hosts,
      keys: new PostgresIdempotencyStore(database),
      hostLink,
      wakeReceiver,
      wakeSender,
      workflows: new TemporalWorkflowRuns(temporal),
      probes: [
        postgresProbe(database),
        temporalProbe(temporal),
        hostProbe(hosts),
        s3Probe(objects),
        sealingLagProbe(segments),
      ],
    },
    close: async () => {
      hostLink.close();
      objects.close();
      await wakeSender.flush();
      await wakeReceiver.close();
      await temporal.close();
      await database.close();
    },
  };
}

function newDigest(): Digest {
  const hash = createHash('sha256');
  return { update: (bytes) => void hash.update(bytes), hex: () => hash.digest('hex') };
}

/** A restart together with the database must not need a person, so it waits for it, with a limit. */
async function connectDatabase(url: string, log: Logger): Promise<Database> {
  const startedAt = performance.now();
  for (;;) {
    try {
      return await Database.connect({
        url,
        applicationName: 'berth-api',
        onIdleError: (error) => log.warn({ err: error }, 'An idle database connection was lost.'),
      });
    } catch (error) {
      const away = isDomainError(error, 'dependency_unavailable');
      if (!away || performance.now() - startedAt > CONNECT_GIVE_UP_AFTER_MS) throw error;
      log.warn({ err: error }, 'The database does not answer yet.');
      await delay(CONNECT_RETRY_MS);
    }
  }
}
