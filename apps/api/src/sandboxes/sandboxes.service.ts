import { Inject, Injectable } from '@nestjs/common';
import {
  DEFAULT_SANDBOX_NAME,
  DEFAULT_TIER,
  DomainError,
  limits,
  operationId,
  ownerId,
  sandboxId,
  settingsAfter,
  type HostStore,
  type IdempotencyStore,
  type NewOperation,
  type Operation,
  type OwnerId,
  type Page,
  type Sandbox,
  type SandboxId,
  type SandboxStore,
  type SettingsChange,
  type TenantId,
} from '#domain';
import type { Call } from '../http/call.js';
import { present } from '../http/inputs.js';
import { canonicalJson, idFor, requestHashOf } from '../http/request-identity.js';
import { OperationLauncher } from '../operations/operation-launcher.js';
import { OperationsService } from '../operations/operations.service.js';
import { knownSnapshotId } from '../snapshots/snapshot-id.js';
import { CONFIG, HOST_STORE, IDEMPOTENCY_STORE, SANDBOX_STORE, type ApiConfig } from '../tokens.js';
import type { SandboxBody, SandboxesQuery } from './sandbox.input.js';
import { SandboxStarter } from './sandbox-starter.js';

export interface CreatedSandbox {
  readonly sandbox: Sandbox;
  readonly operation: Operation | null;
  readonly replayed: boolean;
}

@Injectable()
export class SandboxesService {
  constructor(
    @Inject(CONFIG) private readonly config: ApiConfig,
    @Inject(SANDBOX_STORE) private readonly sandboxes: SandboxStore,
    @Inject(HOST_STORE) private readonly hosts: HostStore,
    @Inject(IDEMPOTENCY_STORE) private readonly keys: IdempotencyStore,
    @Inject(SandboxStarter) private readonly starter: SandboxStarter,
    @Inject(OperationLauncher) private readonly launcher: OperationLauncher,
    @Inject(OperationsService) private readonly operations: OperationsService,
  ) {}

  /** The owner's sandbox of that name, made if there is none and started if it does not run. */
  async create(call: Call, body: SandboxBody, wait?: number): Promise<CreatedSandbox> {
    const { tenantId } = call.principal;
    const owner = ownerId(body.owner);
    const name = body.name ?? DEFAULT_SANDBOX_NAME;
    const known = await this.sandboxes.findByName(tenantId, owner, name);
    const id = known?.id ?? sandboxId(idFor(call, 'sandbox'));
    const repeated = await this.isRepeated(call, owner, body, id);
    if (known) refuseDifference(known, body);
    const start = operationId(idFor(call, 'operation'));
    const result = await this.sandboxes.ensureStarted(
      {
        id,
        tenantId,
        ownerId: owner,
        name,
        image: body.image ?? this.config.baseImage,
        tier: body.tier ?? DEFAULT_TIER,
        labels: body.labels ?? {},
        hostId: known?.hostId ?? (await this.hosts.place()),
        settings: { idleStopSeconds: this.config.idleStopSeconds, ...present(settingsOf(body)) },
      },
      {
        ...firstOf(body),
        id: start,
        tenantId,
        ownerId: owner,
        sandboxId: id,
        requestHash: requestHashOf(body),
      },
    );
    if (!result.sandboxCreated) refuseDifference(result.sandbox, body);
    if (result.operation) await this.launcher.launch(result.operation);
    const operation = await this.waited(call, result.operation, wait);
    return {
      sandbox: operation ? await this.reload(tenantId, result.sandbox) : result.sandbox,
      operation,
      replayed: repeated,
    };
  }

  /** Under one Idempotency-Key only the same request may come again, also where its sandbox was there and ran. */
  private async isRepeated(call: Call, owner: OwnerId, body: SandboxBody, id: SandboxId): Promise<boolean> {
    if (call.idempotencyKey === undefined) return false;
    return !(await this.keys.remember({
      tenantId: call.principal.tenantId,
      ownerId: owner,
      keyId: idFor(call, 'sandbox'),
      requestHash: requestHashOf(body),
      resourceId: id,
    }));
  }

  async configure(call: Call, id: string, change: SettingsChange): Promise<Sandbox> {
    const { id: known } = await this.starter.find(call, id);
    return await this.sandboxes.configure(call.principal.tenantId, known, change, call.ifVersion);
  }

  async get(call: Call, id: string): Promise<Sandbox> {
    return await this.starter.find(call, id);
  }

  async list(call: Call, query: SandboxesQuery): Promise<Page<Sandbox>> {
    return await this.sandboxes.list(call.principal.tenantId, {
      ...present({
        ownerId: query.owner === undefined ? undefined : ownerId(query.owner),
        labels: query.label,
        cursor: query.cursor,
      }),
      limit: query.limit ?? limits.PAGE_SIZE_DEFAULT,
    });
  }

  private async waited(call: Call, operation: Operation | null, wait?: number): Promise<Operation | null> {
    if (operation === null || (wait ?? call.preferWaitSeconds) === 0) return operation;
    return await this.operations.get(call, operation.id, wait);
  }

  private async reload(tenantId: TenantId, sandbox: Sandbox): Promise<Sandbox> {
    return (await this.sandboxes.find(tenantId, sandbox.id)) ?? sandbox;
  }
}

/** What brings a sandbox up that is made: its workspace is empty, or that of a snapshot. */
function firstOf({ snapshotId }: SandboxBody): Pick<NewOperation, 'kind' | 'options'> {
  if (snapshotId === undefined) return { kind: 'start' };
  return { kind: 'restore', options: { snapshotId: knownSnapshotId(snapshotId) } };
}

/** Asking for what is there is fine; asking for something else under its name must not be ignored in silence. */
function refuseDifference(sandbox: Sandbox, body: SandboxBody): void {
  const { image, tier, labels } = sandbox;
  const asked = { image, tier, labels, ...present(body) };
  const isSame = asked.image === image && asked.tier === tier;
  const isSettled = settingsAfter(sandbox, settingsOf(body)) === sandbox;
  if (isSame && isSettled && canonicalJson(asked.labels) === canonicalJson(labels)) return;
  throw new DomainError(
    'invalid_state',
    'A sandbox of this name exists with another image, tier, labels or settings.',
    {
      extra: { sandboxId: sandbox.id, image: sandbox.image, tier: sandbox.tier },
    },
  );
}

const settingsOf = ({
  healthCheck,
  snapshotOnRestart,
  restartPolicy,
  idleStopSeconds,
}: SandboxBody): SettingsChange => ({
  healthCheck,
  restartPolicy,
  idleStopSeconds,
  snapshotOnRestart,
});
