import {
  createControlActivities,
  createGitActivities,
  createHostActivities,
  type ControlActivities,
  type GitActivities,
  type HostActivities,
  type ReconcileResult,
} from '#activities';
import {
  hostId,
  operationId,
  ownerId,
  sandboxId,
  tenantId,
  type Operation,
  type OperationKind,
  type OperationOptions,
  type Sandbox,
  type StepName,
  type StepRecord,
  type SweepStore,
  type Undo,
} from '#domain';
import { v7 as uuidv7 } from 'uuid';
import { inActivity } from './activity-context.js';
import { MemoryEngine } from './memory-engine.js';
import { MemoryObjects } from './memory-objects.js';
import { MemoryWorld } from './memory-world.js';
import { ScriptedRunner } from './scripted-runner.js';

const TENANT = tenantId('default');
const OWNER = ownerId('u1');
const HOST = hostId('local');
const SILENT = { debug: quiet, info: quiet, warn: quiet, error: quiet };
const NO_SWEEPS: SweepStore = {
  listUnstarted: async () => await Promise.resolve([]),
  takeUnverified: async () => await Promise.resolve([]),
  takeCanceling: async () => await Promise.resolve([]),
  listStranded: async () => await Promise.resolve([]),
  listRestartable: async () => await Promise.resolve([]),
  takeIdle: async () => await Promise.resolve([]),
  forgetKeys: async () => await Promise.resolve(0),
};

/** The Activities of a worker over memory, to run the steps of operations one by one as a Workflow would. */
export class LifecycleWorld {
  readonly world = new MemoryWorld();
  readonly engine = new MemoryEngine();
  readonly objects = new MemoryObjects();
  /** What git does in the sandbox. */
  readonly git = new ScriptedRunner();
  readonly sandboxId = sandboxId(uuidv7());
  /** Of a sandbox that has no row. */
  readonly otherId = sandboxId(uuidv7());
  private readonly activities: ControlActivities & HostActivities & GitActivities;

  constructor() {
    const { sandboxes, operations, execs, bulks, credentials, hosts, snapshots } = this.world;
    const { wakes: wake, workflows: runs } = this.world;
    const supervisor = {
      // What a supervision does with an exec whose container has ended.
      join: (exec: { id: Parameters<typeof execs.get>[0] }) =>
        ({ ended: this.world.end(exec.id, { state: 'failed', exitCode: null }) }) as never,
      continueQueue: async () => await Promise.resolve(),
    };
    this.activities = {
      ...createControlActivities({
        sandboxes,
        operations,
        execs,
        credentials,
        snapshots,
        sweeps: NO_SWEEPS,
        bulks,
        hosts,
        wake,
        runs,
        log: SILENT,
      }),
      ...createHostActivities(
        {
          sandboxes,
          operations,
          execs,
          snapshots,
          objects: this.objects,
          engine: this.engine,
          supervisor,
          wake,
          log: SILENT,
        },
        HOST,
      ),
      ...createGitActivities({
        sandboxes,
        operations,
        credentials,
        engine: {
          connect: () => Promise.resolve(this.git.connection),
          inspect: (ref) => this.engine.inspect(ref),
        },
        wake,
        log: SILENT,
        settings: { allowedNetworks: [], certificates: '', bytesMax: 1 },
      }),
    };
  }

  /** A sandbox without a container, held by nothing. */
  async makeSandbox(): Promise<void> {
    const scope = { tenantId: TENANT, ownerId: OWNER };
    const { operation } = await this.world.sandboxes.ensureStarted(
      { ...scope, id: this.sandboxId, name: 's', image: 'i', tier: 'small', hostId: HOST },
      { ...scope, id: operationId(uuidv7()), sandboxId: this.sandboxId, kind: 'start', requestHash: 'h' },
    );
    if (operation) await this.world.operations.move(operation.id, ['pending'], 'canceled');
  }

  async request(kind: OperationKind, options: OperationOptions = {}): Promise<Operation> {
    const { operation } = await this.world.sandboxes.requestOperation(TENANT, this.sandboxId, {
      id: operationId(uuidv7()),
      requestHash: 'h',
      kind,
      options,
      parks: true,
    });
    if (!operation) throw new TypeError(`A ${kind} was not needed.`);
    return operation;
  }

  async exec(id: string): Promise<void> {
    await this.world.execs.create({
      id: id as never,
      tenantId: TENANT,
      ownerId: OWNER,
      sandboxId: this.sandboxId,
      request: { argv: ['true'], queueTimeoutSeconds: 1 } as never,
      requestHash: id,
    });
  }

  /** One attempt of a step or an undo. */
  async attempt(task: StepName | Undo, { id }: Operation): Promise<void> {
    const name = task.replaceAll(/_(\w)/g, (_match, letter: string) => letter.toUpperCase());
    const run = this.activities[name as 'holdQueue'];
    await inActivity(() => run({ operationId: id, sandboxId: this.sandboxId }));
  }

  /** One attempt of several steps. */
  async stage(steps: readonly StepName[], { id }: Operation): Promise<StepRecord[]> {
    const input = { operationId: id, sandboxId: this.sandboxId, steps };
    return await inActivity(() => this.activities.doStage(input));
  }

  /** What a run does once somebody has decided to retry. */
  async resume({ id }: Operation): Promise<void> {
    await this.activities.resumeOperation({ operationId: id, sandboxId: this.sandboxId });
  }

  async reconcile(): Promise<ReconcileResult> {
    return await inActivity(() => this.activities.reconcileHost());
  }

  get sandbox(): Sandbox {
    const row = this.world.sandboxes.rows.get(this.sandboxId);
    if (!row) throw new TypeError('There is no sandbox.');
    return row;
  }
}

function quiet(): void {
  // Nobody listens.
}
