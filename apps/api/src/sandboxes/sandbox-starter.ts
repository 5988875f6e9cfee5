import { Inject, Injectable } from '@nestjs/common';
import {
  DEFAULT_SANDBOX_NAME,
  DEFAULT_TIER,
  DomainError,
  needsStart,
  operationId,
  ownerId,
  parseSandboxId,
  sandboxId,
  type HostStore,
  type Operation,
  type Sandbox,
  type SandboxStore,
} from '#domain';
import { v7 as uuidv7 } from 'uuid';
import type { Call } from '../http/call.js';
import { idFor, requestHashOf } from '../http/request-identity.js';
import { CONFIG, HOST_STORE, SANDBOX_STORE, type ApiConfig } from '../tokens.js';

/** `operation` is the live start of the sandbox; null where it runs. Its run is not started here. */
export interface StartedSandbox {
  readonly sandbox: Sandbox;
  readonly operation: Operation | null;
}

/** What a request wants where its sandbox does not run. */
export type IfStopped = 'start' | 'fail';

/** The rows that an exec needs before it can run: its sandbox, and a start if the sandbox does not run. */
@Injectable()
export class SandboxStarter {
  constructor(
    @Inject(CONFIG) private readonly config: ApiConfig,
    @Inject(SANDBOX_STORE) private readonly sandboxes: SandboxStore,
    @Inject(HOST_STORE) private readonly hosts: HostStore,
  ) {}

  /** Somebody else's sandbox is not found, like one that never was. */
  async find(call: Call, id: string): Promise<Sandbox> {
    const known = parseSandboxId(id);
    const sandbox = known && (await this.sandboxes.find(call.principal.tenantId, known));
    if (!sandbox) throw new DomainError('not_found', 'There is no such sandbox.');
    return sandbox;
  }

  async byId(call: Call, id: string, ifStopped?: IfStopped): Promise<StartedSandbox> {
    const sandbox = await this.find(call, id);
    if (runsOrWill(sandbox)) return { sandbox, operation: null };
    if (ifStopped === 'fail') throw doesNotRun(sandbox);
    return await this.sandboxes.ensureStartedById(call.principal.tenantId, sandbox.id, {
      id: operationId(idFor(call, 'operation')),
      requestHash: requestHashOf({ start: sandbox.id }),
    });
  }

  async defaultOf(call: Call, owner: string, ifStopped?: IfStopped): Promise<StartedSandbox> {
    const { tenantId } = call.principal;
    const of = ownerId(owner);
    const known = await this.sandboxes.findByName(tenantId, of, DEFAULT_SANDBOX_NAME);
    if (known && runsOrWill(known)) return { sandbox: known, operation: null };
    if (ifStopped === 'fail') throw doesNotRun(known);
    const id = known?.id ?? sandboxId(uuidv7());
    return await this.sandboxes.ensureStarted(
      {
        id,
        tenantId,
        ownerId: of,
        name: DEFAULT_SANDBOX_NAME,
        image: this.config.baseImage,
        tier: DEFAULT_TIER,
        hostId: known?.hostId ?? (await this.hosts.place()),
        settings: { idleStopSeconds: this.config.idleStopSeconds },
      },
      {
        id: operationId(uuidv7()),
        tenantId,
        ownerId: of,
        sandboxId: id,
        kind: 'start',
        requestHash: requestHashOf({ start: id }),
      },
    );
  }
}

/** Nobody has asked for it to be stopped, and it needs no start: this is known without a lock, for the many execs. */
function runsOrWill(sandbox: Sandbox): boolean {
  return sandbox.desiredState === 'running' && !needsStart(sandbox);
}

function doesNotRun(sandbox: Sandbox | undefined): DomainError {
  const observedState = sandbox?.observedState ?? 'none';
  return new DomainError('invalid_state', `The sandbox does not run: its state is ${observedState}.`, {
    extra: { observedState, ...(sandbox ? { sandboxId: sandbox.id } : {}) },
  });
}
