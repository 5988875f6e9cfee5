import { Inject, Injectable } from '@nestjs/common';
import {
  DEFAULT_SANDBOX_NAME,
  DomainError,
  operationId,
  ownerId,
  type AskedOperation,
  type OperationId,
  type RequestedOperation,
  type Sandbox,
  type SandboxStore,
} from '#domain';
import type { Call } from '../http/call.js';
import { idFor, requestHashOf } from '../http/request-identity.js';
import { OperationLauncher } from '../operations/operation-launcher.js';
import { OperationsService } from '../operations/operations.service.js';
import { SANDBOX_STORE } from '../tokens.js';
import { SandboxStarter } from './sandbox-starter.js';

/** Asks for an operation on a sandbox that is there: the row, then its run. */
@Injectable()
export class SandboxOperationsService {
  constructor(
    @Inject(SANDBOX_STORE) private readonly sandboxes: SandboxStore,
    @Inject(SandboxStarter) private readonly starter: SandboxStarter,
    @Inject(OperationLauncher) private readonly launcher: OperationLauncher,
    @Inject(OperationsService) private readonly operations: OperationsService,
  ) {}

  async request(
    call: Call,
    sandbox: string,
    asked: AskedOperation,
    wait?: number,
  ): Promise<RequestedOperation> {
    return await this.requestOn(call, await this.starter.find(call, sandbox), asked, { wait });
  }

  /** In the owner's sandbox named `default`. */
  async requestForOwner(call: Call, owner: string, asked: AskedOperation): Promise<RequestedOperation> {
    const { tenantId } = call.principal;
    const sandbox = await this.sandboxes.findByName(tenantId, ownerId(owner), DEFAULT_SANDBOX_NAME);
    if (!sandbox) throw new DomainError('not_found', 'There is no such sandbox.');
    return await this.requestOn(call, sandbox, asked);
  }

  /** The id is given where something of the request has been named after it. */
  async requestOn(
    call: Call,
    { tenantId, id }: Sandbox,
    asked: AskedOperation,
    { wait, id: given }: { readonly wait?: number | undefined; readonly id?: OperationId } = {},
  ): Promise<RequestedOperation> {
    const requested = await this.sandboxes.requestOperation(tenantId, id, {
      ...asked,
      id: given ?? operationId(idFor(call, 'operation')),
      requestHash: requestHashOf({ sandbox: id, ...asked }),
      parks: true,
    });
    if (!requested.operation) return requested;
    await this.launcher.launch(requested.operation);
    if ((wait ?? call.preferWaitSeconds) === 0) return requested;
    const operation = await this.operations.get(call, requested.operation.id, wait);
    return { ...requested, operation, sandbox: await this.starter.find(call, id) };
  }
}
