import { Inject, Injectable } from '@nestjs/common';
import {
  correctionOf,
  DomainError,
  isTerminal,
  limits,
  OPERATION_TRANSITIONS,
  operationActions,
  parseCredentialId,
  parseOperationId,
  parseSandboxId,
  type CredentialStore,
  type Operation,
  type OperationAction,
  type OperationId,
  type OperationStore,
  type Page,
  type WorkflowSignaller,
} from '#domain';
import type { Call } from '../http/call.js';
import { present } from '../http/inputs.js';
import { InvalidInputError } from '../http/problem.js';
import { CREDENTIAL_STORE, OPERATION_STORE, WORKFLOWS } from '../tokens.js';
import { LongPoll } from '../waiting/long-poll.js';
import type { DecisionBody, OperationsQuery, RetryBody } from './operation.input.js';

@Injectable()
export class OperationsService {
  constructor(
    @Inject(OPERATION_STORE) private readonly operations: OperationStore,
    @Inject(CREDENTIAL_STORE) private readonly credentials: CredentialStore,
    @Inject(WORKFLOWS) private readonly workflows: WorkflowSignaller,
    @Inject(LongPoll) private readonly longPoll: LongPoll,
  ) {}

  /** A parked operation ends the wait too: it is the client's turn to decide. */
  async get(call: Call, id: string, wait?: number): Promise<Operation> {
    const known = parseOperationId(id);
    if (known === undefined) throw noSuchOperation();
    return await this.longPoll.until(
      call,
      wait,
      `operation:${known}`,
      () => this.load(call, known),
      (operation) => operation.state === 'parked' || isTerminal(OPERATION_TRANSITIONS, operation.state),
    );
  }

  async list(call: Call, query: OperationsQuery): Promise<Page<Operation>> {
    const sandbox = query.sandboxId === undefined ? undefined : parseSandboxId(query.sandboxId);
    if (query.sandboxId !== undefined && sandbox === undefined) return { items: [], nextCursor: null };
    return await this.operations.list(call.principal.tenantId, {
      ...present({ sandboxId: sandbox, state: query.state, cursor: query.cursor }),
      limit: query.limit ?? limits.PAGE_SIZE_DEFAULT,
    });
  }

  async retry(call: Call, id: string, { input, ...decision }: RetryBody): Promise<Operation> {
    const operation = await this.decidable(call, id, 'retry', decision);
    if (input?.credentialId !== undefined) await this.refuseOtherCredential(operation, input.credentialId);
    const correction = correctionOf(decision.step, input && present(input));
    if (correction === undefined) {
      throw new InvalidInputError('This step takes no such correction.', [
        { pointer: '/input', message: `The step ${decision.step} does not take it.` },
      ]);
    }
    await this.workflows.retryOperation(operation.id, {
      ...decision,
      ...(input === undefined ? {} : { input: correction }),
    });
    return operation;
  }

  async abort(call: Call, id: string, decision: DecisionBody): Promise<Operation> {
    const operation = await this.decidable(call, id, 'abort', decision);
    await this.workflows.abortOperation(operation.id, decision);
    return operation;
  }

  /** Ends it as soon as its host has heard of it. Asked twice it is asked once. */
  async cancel(call: Call, id: string): Promise<Operation> {
    const operation = await this.get(call, id, 0);
    const { kind, state } = operation;
    if (!operationActions(kind, state).includes('cancel')) {
      throw new DomainError('invalid_state', `A ${kind} that is ${state} cannot be canceled.`, {
        extra: { state },
      });
    }
    await this.workflows.cancelOperation(operation.id);
    return operation;
  }

  /** The run looks it up as its owner's once more; here it is for the person who mistook it. */
  private async refuseOtherCredential({ tenantId, ownerId }: Operation, text: string): Promise<void> {
    const id = parseCredentialId(text);
    const found = id && (await this.credentials.find(tenantId, id));
    if (found && found.operationId === null && found.ownerId === ownerId) return;
    throw new InvalidInputError('There is no such credential.', [
      { pointer: '/input/credentialId', message: 'is none of the owner of this operation' },
    ]);
  }

  private async decidable(
    call: Call,
    id: string,
    action: OperationAction,
    decision: DecisionBody,
  ): Promise<Operation> {
    const operation = await this.get(call, id, 0);
    const { park, state } = operation;
    if (!operationActions(operation.kind, state).includes(action)) {
      throw new DomainError('invalid_state', `The operation is ${state}, not parked.`, { extra: { state } });
    }
    if (park?.step !== decision.step || park.parkNo !== decision.parkNo) {
      throw new DomainError('invalid_state', 'The decision is for another park of this operation.', {
        extra: { state, step: park?.step ?? null, parkNo: park?.parkNo ?? null },
      });
    }
    return operation;
  }

  private async load(call: Call, id: OperationId): Promise<Operation> {
    const operation = await this.operations.find(call.principal.tenantId, id);
    if (!operation) throw noSuchOperation();
    return operation;
  }
}

const noSuchOperation = (): DomainError => new DomainError('not_found', 'There is no such operation.');
