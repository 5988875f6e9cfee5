import pg from 'pg';
import { parse } from 'pg-connection-string';
import { DataSource, type EntityManager } from 'typeorm';
import { isRolledBack, translateError } from './database-errors.js';
import { BulkItemEntity } from './entities/bulk-item.entity.js';
import { BulkOperationEntity } from './entities/bulk-operation.entity.js';
import { CredentialEntity } from './entities/credential.entity.js';
import { ExecChunkEntity } from './entities/exec-chunk.entity.js';
import { ExecSegmentEntity } from './entities/exec-segment.entity.js';
import { ExecEntity } from './entities/exec.entity.js';
import { HostEntity } from './entities/host.entity.js';
import { IdempotencyKeyEntity } from './entities/idempotency-key.entity.js';
import { OperationEntity } from './entities/operation.entity.js';
import { PendingObjectEntity } from './entities/pending-object.entity.js';
import { SandboxEntity } from './entities/sandbox.entity.js';
import { SnapshotEntity } from './entities/snapshot.entity.js';
import { Initial1700000000001 } from './migrations/0001-initial.migration.js';
import { SealedOutput1700000000002 } from './migrations/0002-sealed-output.migration.js';
import { ExecLabels1700000000003 } from './migrations/0003-exec-labels.migration.js';
import { ExecInput1700000000004 } from './migrations/0004-exec-input.migration.js';
import { BulkOperations1700000000010 } from './migrations/0010-bulk-operations.migration.js';
import { Credentials1700000000013 } from './migrations/0013-credentials.migration.js';
import { ClaimExec1700000000009 } from './migrations/0009-claim-exec.migration.js';
import { SandboxHealth1700000000014 } from './migrations/0014-sandbox-health.migration.js';
import { SandboxSettings1700000000012 } from './migrations/0012-sandbox-settings.migration.js';
import { IdempotencyKeys1700000000005 } from './migrations/0005-idempotency-keys.migration.js';
import { OperationResults1700000000011 } from './migrations/0011-operation-results.migration.js';
import { Snapshots1700000000015 } from './migrations/0015-snapshots.migration.js';
import { UseAndControls1700000000016 } from './migrations/0016-use-and-controls.migration.js';
import { OperationRequests1700000000006 } from './migrations/0006-operation-requests.migration.js';

const POOL_SIZE_MAX = 20;
const CONNECT_TIMEOUT_MS = 3_000;
const STATEMENT_TIMEOUT_MS = 10_000;
const QUERY_TIMEOUT_MS = 12_000;
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 10_000;
const ROLLED_BACK_ATTEMPTS_MAX = 4;
/** Any number that only Berth's migrations use. */
const MIGRATION_LOCK = 7_236_511;

/** bigint columns are positions and counters below 2^53, so a number holds them exactly. */
pg.types.setTypeParser(pg.types.builtins.INT8, Number);

export interface DatabaseOptions {
  /** `postgres://user:password@host:port/database`, or `?host=/socket/directory` for a unix socket. */
  readonly url: string;
  readonly applicationName: string;
  /** Told about errors of idle connections, which have no caller. */
  readonly onIdleError: (error: unknown) => void;
}

/** The connection pool with its statements. Everything it throws for a database that is away is `dependency_unavailable`. */
export class Database {
  private constructor(readonly dataSource: DataSource) {}

  static async connect(options: DatabaseOptions): Promise<Database> {
    const dataSource = dataSourceOf(options);
    await guard(() => dataSource.initialize());
    return new Database(dataSource);
  }

  async query<Row>(sql: string, parameters: readonly unknown[] = []): Promise<Row[]> {
    return await guard(async () => rowsOf<Row>(await this.dataSource.query(sql, [...parameters])));
  }

  async transaction<T>(work: (sql: SqlRunner) => Promise<T>): Promise<T> {
    return await guard(() => this.dataSource.transaction((manager) => work(sqlRunnerOf(manager))));
  }

  /** Applies what is missing; concurrent callers wait for each other under an advisory lock. Returns the names applied. */
  async migrate(): Promise<string[]> {
    return await guard(async () => {
      const runner = this.dataSource.createQueryRunner();
      await runner.connect();
      try {
        await runner.query('SET statement_timeout = 0');
        await runner.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
        const applied = await this.dataSource.runMigrations({ transaction: 'each' });
        await runner.query('SELECT pg_advisory_unlock($1)', [MIGRATION_LOCK]);
        return applied.map((migration) => migration.name);
      } finally {
        await runner.release();
      }
    });
  }

  /** The statements that would make the schema equal to the entities; empty when migrations and entities agree. */
  async drift(): Promise<string[]> {
    const log = await this.dataSource.driver.createSchemaBuilder().log();
    return log.upQueries.map((query) => query.query);
  }

  async close(): Promise<void> {
    await this.dataSource.destroy();
  }
}

export type SqlRunner = <Row>(sql: string, parameters?: readonly unknown[]) => Promise<Row[]>;

function sqlRunnerOf(manager: EntityManager): SqlRunner {
  return async <Row>(sql: string, parameters: readonly unknown[] = []) =>
    rowsOf<Row>(await manager.query(sql, [...parameters]));
}

/** For UPDATE and DELETE the driver answers `[rows, count]`, for everything else the rows. */
function rowsOf<Row>(answer: unknown): Row[] {
  if (
    Array.isArray(answer) &&
    answer.length === 2 &&
    Array.isArray(answer[0]) &&
    typeof answer[1] === 'number'
  ) {
    return answer[0] as Row[];
  }
  return answer as Row[];
}

export function connectionOptions(url: string): pg.ClientConfig {
  const parsed = parse(url);
  return {
    host: parsed.host ?? 'localhost',
    port: parsed.port ? Number(parsed.port) : 5432,
    ...(parsed.user ? { user: parsed.user } : {}),
    ...(parsed.password ? { password: parsed.password } : {}),
    ...(parsed.database ? { database: parsed.database } : {}),
  };
}

function dataSourceOf(options: DatabaseOptions): DataSource {
  const { host, port, user, password, database } = connectionOptions(options.url);
  return new DataSource({
    type: 'postgres',
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port }),
    ...(user === undefined ? {} : { username: user }),
    ...(typeof password === 'string' ? { password } : {}),
    ...(database === undefined ? {} : { database }),
    applicationName: options.applicationName,
    entities: [
      CredentialEntity,
      SandboxEntity,
      OperationEntity,
      ExecEntity,
      ExecChunkEntity,
      ExecSegmentEntity,
      PendingObjectEntity,
      HostEntity,
      IdempotencyKeyEntity,
      BulkOperationEntity,
      BulkItemEntity,
      SnapshotEntity,
    ],
    migrations: [
      Initial1700000000001,
      SealedOutput1700000000002,
      ExecLabels1700000000003,
      ExecInput1700000000004,
      IdempotencyKeys1700000000005,
      OperationRequests1700000000006,
      ClaimExec1700000000009,
      BulkOperations1700000000010,
      OperationResults1700000000011,
      SandboxSettings1700000000012,
      Credentials1700000000013,
      SandboxHealth1700000000014,
      Snapshots1700000000015,
      UseAndControls1700000000016,
    ],
    installExtensions: false,
    poolErrorHandler: options.onIdleError,
    extra: {
      max: POOL_SIZE_MAX,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      statement_timeout: STATEMENT_TIMEOUT_MS,
      query_timeout: QUERY_TIMEOUT_MS,
      idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT_MS,
    },
  });
}

async function guard<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (attempt >= ROLLED_BACK_ATTEMPTS_MAX || !isRolledBack(error)) throw translateError(error);
    }
  }
}
