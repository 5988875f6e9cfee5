import { Inject, Injectable } from '@nestjs/common';
import {
  DomainError,
  limits,
  type Page,
  type RequestedOperation,
  type Snapshot,
  type SnapshotStore,
} from '#domain';
import type { Call } from '../http/call.js';
import { present } from '../http/inputs.js';
import { SandboxOperationsService } from '../sandboxes/sandbox-operations.service.js';
import { SandboxStarter } from '../sandboxes/sandbox-starter.js';
import { SNAPSHOT_STORE } from '../tokens.js';
import { knownSnapshotId, snapshotNotFound } from './snapshot-id.js';
import type { SnapshotsQuery } from './snapshot.input.js';

/** Snapshots as they are, and the asking for one. They outlive the sandbox that they are of. */
@Injectable()
export class SnapshotsService {
  constructor(
    @Inject(SNAPSHOT_STORE) private readonly snapshots: SnapshotStore,
    @Inject(SandboxStarter) private readonly starter: SandboxStarter,
    @Inject(SandboxOperationsService) private readonly operations: SandboxOperationsService,
  ) {}

  /** The run asks for the quota again; here it spares the caller a run that cannot end well. */
  async create(call: Call, sandbox: string, wait?: number): Promise<RequestedOperation> {
    const { id } = await this.starter.find(call, sandbox);
    if ((await this.snapshots.count(id)) >= limits.SNAPSHOTS_PER_SANDBOX_MAX) {
      throw new DomainError(
        'quota_exceeded',
        `A sandbox has at most ${limits.SNAPSHOTS_PER_SANDBOX_MAX} snapshots.`,
      );
    }
    return await this.operations.request(call, id, { kind: 'snapshot', options: {} }, wait);
  }

  async list(call: Call, sandbox: string, query: SnapshotsQuery): Promise<Page<Snapshot>> {
    const { id } = await this.starter.find(call, sandbox);
    return await this.snapshots.list(call.principal.tenantId, {
      ...present({ cursor: query.cursor }),
      sandboxId: id,
      limit: query.limit ?? limits.PAGE_SIZE_DEFAULT,
    });
  }

  async get(call: Call, id: string): Promise<Snapshot> {
    const snapshot = await this.snapshots.find(call.principal.tenantId, knownSnapshotId(id));
    if (!snapshot) throw snapshotNotFound();
    return snapshot;
  }

  async delete(call: Call, id: string): Promise<void> {
    if (!(await this.snapshots.delete(call.principal.tenantId, knownSnapshotId(id))))
      throw snapshotNotFound();
  }
}
