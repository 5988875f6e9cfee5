import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Worker } from '@temporalio/worker';
import { v7 as uuidv7 } from 'uuid';
import { createBulkActivities, createControlActivities, createHostActivities } from '#activities';
import {
  BULK_HAS_ENDED,
  bulkId,
  hostId,
  limits,
  ownerId,
  tenantId,
  type Bulk,
  type Log,
  type SandboxId,
} from '#domain';
import {
  PostgresBulkStore,
  PostgresExecStore,
  PostgresHostStore,
  PostgresOperationStore,
  PostgresSandboxStore,
  PostgresSweepStore,
  type Database,
} from '#postgres';
import {
  BULK_WORKFLOW,
  bulkWorkflowId,
  CONTROL_TASK_QUEUE,
  hostTaskQueue,
  type BulkInput,
} from '#workflows/contract';
import { createTestDatabase } from '../../libs/postgres/src/testing-database.js';
import { MemoryCredentials } from '../fakes/memory-credentials.js';
import { MemoryEngine } from '../fakes/memory-engine.js';
import { MemoryObjects } from '../fakes/memory-objects.js';
import { MemorySnapshots } from '../fakes/memory-snapshots.js';
import { MemoryWorkflows } from '../fakes/memory-workflows.js';
import { createTestNamespace, type TestNamespace } from '../stack/temporal-namespace.js';
import type { RunningInstance } from '../../scripts/bench/running-instance.js';

const TENANT = tenantId('default');
const OWNER = ownerId('bench-bulk-items');
const HOST = hostId('fleet');
const SILENT: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const LOOK_AGAIN_MS = 250;
const MIB = 1_024 ** 2;
/** The same as a worker of an installation has. */
const CACHED_WORKFLOWS_MAX = 200;

export interface BulkItemsReport {
  readonly items: number;
  readonly concurrency: number;
  readonly seconds: number;
  readonly itemsPerSecond: number;
  /** Of each run of the chain that was continued. */
  readonly historyEvents: readonly number[];
  /** Of the process with both workers, after a collection: with a tenth of the items done, and with all of them. */
  readonly heapMiBEarly: number;
  readonly heapMiBEnd: number;
  /** Containers made beside the one that each item needs; 0 where each was done once. */
  readonly containersTooMany: number;
}

/**
 * A bulk restart of many sandboxes whose containers are names in memory: what is left is the work of Postgres, Temporal and
 * the workers. On the servers of a running installation, in a database and a namespace of its own.
 */
export async function benchBulkItems(
  instance: RunningInstance,
  items: number,
  onProgress: (bulk: Bulk) => void,
): Promise<BulkItemsReport> {
  const test = await createTestDatabase(instance.databaseUrl);
  const namespace = await createTestNamespace(instance.temporalAddress);
  const fleet = new Fleet(test.database, namespace);
  try {
    await fleet.add(items);
    return await fleet.restart(items, onProgress);
  } finally {
    await fleet.close();
    await namespace.close();
    await test.drop();
  }
}

class Fleet {
  private readonly engine = new MemoryEngine();
  private readonly bulks: PostgresBulkStore;
  private readonly collect: () => void;
  private workers: { readonly worker: Worker; readonly running: Promise<void> }[] = [];

  constructor(
    private readonly database: Database,
    private readonly namespace: TestNamespace,
  ) {
    this.bulks = new PostgresBulkStore(database);
    setFlagsFromString('--expose-gc');
    this.collect = runInNewContext('gc') as () => void;
  }

  /** Rows of sandboxes that run and are held by nothing. */
  async add(size: number): Promise<void> {
    const ids = Array.from({ length: size }, () => uuidv7()) as unknown as SandboxId[];
    await this.database.query(
      `INSERT INTO sandboxes (id, tenant_id, owner_id, name, image, tier, host_id, desired_state, observed_state)
         SELECT id, $2, $3, id::text, 'image', 'small', $4, 'running', 'running' FROM unnest($1::uuid[]) AS w (id)`,
      [ids, TENANT, OWNER, HOST],
    );
  }

  async restart(items: number, onProgress: (bulk: Bulk) => void): Promise<BulkItemsReport> {
    await this.startWorkers();
    const concurrency = limits.BULK_CONCURRENCY_MAX;
    const { row } = await this.bulks.create({
      id: bulkId(uuidv7()),
      tenantId: TENANT,
      work: { action: 'restart', options: {} },
      concurrencyMax: concurrency,
      delayMs: 0,
      failureBudget: 0,
      requestHash: 'bench',
      selection: { kind: 'selector', selector: { owner: [OWNER] } },
    });
    const beganAt = performance.now();
    const firstRunId = await this.start(row);
    let heapMiBEarly = NaN;
    const onLook = (bulk: Bulk): void => {
      onProgress(bulk);
      if (Number.isNaN(heapMiBEarly) && bulk.counts.succeeded >= items / 10) heapMiBEarly = this.heapMiB();
    };
    const ended = await Promise.race([this.untilEnded(row, onLook), this.untilStopped()]);
    const seconds = (performance.now() - beganAt) / 1_000;
    if (ended.state !== 'succeeded') throw new Error(`The bulk restart is ${JSON.stringify(ended)}.`);
    return {
      items,
      concurrency,
      seconds,
      itemsPerSecond: items / seconds,
      historyEvents: await this.historyEvents(row, firstRunId),
      heapMiBEarly,
      heapMiBEnd: this.heapMiB(),
      containersTooMany: this.engine.calls.filter((call) => call === 'createContainer').length - items,
    };
  }

  async close(): Promise<void> {
    for (const { worker } of this.workers) if (worker.getState() === 'RUNNING') worker.shutdown();
    await Promise.all(this.workers.map(({ running }) => running));
  }

  private async start({ id }: Bulk): Promise<string> {
    const input: BulkInput = {
      bulkId: id,
      tenantId: TENANT,
      action: 'restart',
      pageItems: limits.BULK_PAGE_ITEMS,
    };
    const handle = await this.namespace.client.workflow.start(BULK_WORKFLOW, {
      workflowId: bulkWorkflowId(id),
      taskQueue: CONTROL_TASK_QUEUE,
      args: [input],
    });
    return handle.firstExecutionRunId;
  }

  private async untilEnded({ id }: Bulk, onLook: (bulk: Bulk) => void): Promise<Bulk> {
    for (;;) {
      const bulk = await this.bulks.find(TENANT, id);
      if (!bulk) throw new Error('The bulk operation is gone.');
      onLook(bulk);
      if (bulk.state === 'paused' || BULK_HAS_ENDED[bulk.state]) return bulk;
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
    }
  }

  /** The workers take SIGINT and SIGTERM for themselves; without them nothing would ever end. */
  private async untilStopped(): Promise<never> {
    await Promise.race(this.workers.map(({ running }) => running));
    throw new Error('The workers were told to stop.');
  }

  private async historyEvents({ id }: Bulk, firstRunId: string): Promise<number[]> {
    const lengths: number[] = [];
    let runId: string | null | undefined = firstRunId;
    while (runId) {
      const run = await this.historyOf(id, runId);
      lengths.push(run.length);
      runId = run.at(-1)?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId;
    }
    return lengths;
  }

  private async historyOf(id: Bulk['id'], runId: string) {
    const handle = this.namespace.client.workflow.getHandle(bulkWorkflowId(id), runId);
    return (await handle.fetchHistory()).events ?? [];
  }

  private heapMiB(): number {
    this.collect();
    return process.memoryUsage().heapUsed / MIB;
  }

  private async startWorkers(): Promise<void> {
    const shared = { connection: this.namespace.native, namespace: this.namespace.name };
    const options = [
      {
        ...shared,
        taskQueue: CONTROL_TASK_QUEUE,
        workflowBundle: { codePath: new URL('../../workflow-bundle.js', import.meta.url).pathname },
        activities: this.controlActivities(),
        maxCachedWorkflows: CACHED_WORKFLOWS_MAX,
      },
      { ...shared, taskQueue: hostTaskQueue(HOST), activities: this.hostActivities() },
    ];
    for (const one of options) {
      const worker = await Worker.create(one);
      this.workers.push({ worker, running: worker.run() });
    }
  }

  private controlActivities() {
    const ports = this.ports();
    const sweeps = new PostgresSweepStore(this.database);
    const hosts = new PostgresHostStore(this.database);
    const runs = new MemoryWorkflows();
    const credentials = new MemoryCredentials(() => new Date().toISOString());
    return {
      ...createControlActivities({ ...ports, credentials, sweeps, hosts, runs }),
      ...createBulkActivities(ports),
    };
  }

  private hostActivities() {
    const supervisor = {
      join: () => {
        throw new TypeError('Nothing runs in a sandbox that is a name.');
      },
      continueQueue: async () => await Promise.resolve(),
    };
    return createHostActivities({ ...this.ports(), engine: this.engine, supervisor }, HOST);
  }

  private ports() {
    const { database } = this;
    const wake = { wake: () => undefined, mayRideAlong: () => false };
    return {
      sandboxes: new PostgresSandboxStore(database),
      operations: new PostgresOperationStore(database),
      execs: new PostgresExecStore(database, wake as never),
      bulks: this.bulks,
      snapshots: new MemorySnapshots(() => new Date().toISOString()),
      objects: new MemoryObjects(),
      wake,
      log: SILENT,
    };
  }
}
