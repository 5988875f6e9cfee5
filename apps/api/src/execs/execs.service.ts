import { Inject, Injectable } from '@nestjs/common';
import {
  DomainError,
  EXEC_ACTIONS,
  EXEC_TRANSITIONS,
  execId,
  isTerminal,
  limits,
  ownerId,
  parseExecId,
  parseSandboxId,
  type Exec,
  type ExecStore,
  type Page,
  type WakeSender,
  type WorkflowSignaller,
  type WorkflowStarter,
} from '#domain';
import type { Call } from '../http/call.js';
import { present } from '../http/inputs.js';
import { idFor, requestHashOf } from '../http/request-identity.js';
import { OperationLauncher } from '../operations/operation-launcher.js';
import { SandboxStarter, type StartedSandbox } from '../sandboxes/sandbox-starter.js';
import { EXEC_STORE, WAKE_SENDER, WORKFLOWS } from '../tokens.js';
import { FairTurns } from '../waiting/fair-turns.js';
import { LongPoll } from '../waiting/long-poll.js';
import { ExecLauncher } from './exec-launcher.js';
import { execRequestOf, inlineStdinOf } from './exec-request.js';
import type { ExecBody, ExecsQuery, SandboxExecsQuery } from './exec.input.js';

export interface CreatedExec {
  readonly exec: Exec;
  readonly replayed: boolean;
}

@Injectable()
export class ExecsService {
  constructor(
    @Inject(EXEC_STORE) private readonly execs: ExecStore,
    @Inject(SandboxStarter) private readonly sandboxes: SandboxStarter,
    @Inject(WORKFLOWS) private readonly workflows: WorkflowStarter & WorkflowSignaller,
    @Inject(WAKE_SENDER) private readonly wakes: WakeSender,
    @Inject(ExecLauncher) private readonly launcher: ExecLauncher,
    @Inject(OperationLauncher) private readonly operations: OperationLauncher,
    @Inject(LongPoll) private readonly longPoll: LongPoll,
    @Inject(FairTurns) private readonly turns: FairTurns,
  ) {}

  async create(call: Call, sandbox: string, body: ExecBody, wait?: number): Promise<CreatedExec> {
    const created = await this.turns.inTurn(`sandbox ${sandbox}`, () =>
      this.createIn(call, { sandbox, ...body }, body, () =>
        this.sandboxes.byId(call, sandbox, body.ifStopped),
      ),
    );
    return { ...created, exec: await this.waited(call, created.exec, wait) };
  }

  /** In the owner's sandbox named `default`, which is made and started if it is not there. */
  async createForOwner(call: Call, owner: string, body: ExecBody, wait?: number): Promise<CreatedExec> {
    const created = await this.turns.inTurn(`owner ${owner}`, () =>
      this.createIn(call, { owner, ...body }, body, () =>
        this.sandboxes.defaultOf(call, owner, body.ifStopped),
      ),
    );
    return { ...created, exec: await this.waited(call, created.exec, wait) };
  }

  async get(call: Call, id: string, wait?: number): Promise<Exec> {
    const known = parseExecId(id);
    if (known === undefined) throw noSuchExec();
    return await this.longPoll.until(call, wait, `exec:${known}`, () => this.load(call, known), hasEnded);
  }

  /** As it is once it runs or has ended, or after so many seconds. */
  async untilStarted(call: Call, id: Exec['id'], seconds: number): Promise<Exec> {
    const load = () => this.load(call, id);
    return await this.longPoll.until(call, seconds, `exec:${id}`, load, hasStarted);
  }

  async getOfOwner(call: Call, owner: string, id: string, wait?: number): Promise<Exec> {
    const known = parseExecId(id);
    const exec = known && (await this.execs.find(call.principal.tenantId, known));
    if (!exec || exec.ownerId !== owner) throw noSuchExec();
    return await this.get(call, exec.id, wait);
  }

  async list(call: Call, query: ExecsQuery): Promise<Page<Exec>> {
    const sandbox = query.sandboxId === undefined ? undefined : parseSandboxId(query.sandboxId);
    if (query.sandboxId !== undefined && sandbox === undefined) return { items: [], nextCursor: null };
    return await this.execs.list(call.principal.tenantId, {
      ...present({
        sandboxId: sandbox,
        ownerId: query.owner === undefined ? undefined : ownerId(query.owner),
        states: query.state,
        labels: query.label,
        words: query.q,
        createdAfter: query.createdAfter,
        createdBefore: query.createdBefore,
        cursor: query.cursor,
      }),
      limit: query.limit ?? limits.PAGE_SIZE_DEFAULT,
    });
  }

  /** The places of those that wait; nothing is asked where none does. */
  async queuePositions(execs: readonly Exec[]): Promise<ReadonlyMap<string, number>> {
    const queued = execs.filter((exec) => exec.state === 'queued');
    return queued.length === 0 ? new Map() : await this.execs.queuePositions(queued);
  }

  /** 404 for a sandbox that is not there, so that an empty list means that nothing ran in it. */
  async listInSandbox(call: Call, sandbox: string, query: SandboxExecsQuery): Promise<Page<Exec>> {
    const { id } = await this.sandboxes.find(call, sandbox);
    return await this.list(call, { ...query, sandboxId: id });
  }

  /** Asked again it changes nothing. The intent is on the row before the run is told. */
  async cancel(call: Call, id: string): Promise<{ exec: Exec; ended: boolean }> {
    const exec = await this.get(call, id, 0);
    if (exec.state === 'canceled') return { exec, ended: true };
    if (!EXEC_ACTIONS[exec.state].includes('cancel')) {
      throw new DomainError('invalid_state', `The exec has ended as ${exec.state}.`, {
        extra: { state: exec.state },
      });
    }
    await this.execs.requestCancel(exec.id);
    // Its run may not be there yet, and without one nobody would hear the signal.
    await this.workflows.startExec(exec);
    await this.workflows.cancelExec(exec.id);
    this.wakes.wake(`exec:${exec.id}`);
    return { exec: await this.load(call, exec.id), ended: false };
  }

  /** A repeated request finds its row and leaves the sandbox alone. */
  private async createIn(
    call: Call,
    identity: object,
    body: ExecBody,
    start: () => Promise<StartedSandbox>,
  ): Promise<CreatedExec> {
    const id = execId(idFor(call, 'exec'));
    const request = execRequestOf(body);
    const inlineStdin = inlineStdinOf(body);
    const requestHash = requestHashOf(identity);
    const before = call.idempotencyKey && (await this.execs.find(call.principal.tenantId, id));
    if (before) {
      if (before.requestHash !== requestHash) throw keyReused();
      await this.launcher.launchAgain(before);
      return { exec: before, replayed: true };
    }
    const { sandbox, operation } = await start();
    const { row, created } = await this.execs.create({
      id,
      tenantId: sandbox.tenantId,
      ownerId: sandbox.ownerId,
      sandboxId: sandbox.id,
      request,
      ...(inlineStdin === undefined ? {} : { inlineStdin }),
      requestHash,
    });
    const startSandbox = operation ? () => this.operations.launch(operation) : undefined;
    if (created) await this.launcher.launch(row, startSandbox);
    else await this.launcher.launchAgain(row, startSandbox);
    return { exec: row, replayed: !created };
  }

  private async load(call: Call, id: Exec['id']): Promise<Exec> {
    const exec = await this.execs.find(call.principal.tenantId, id);
    if (!exec) throw noSuchExec();
    return exec;
  }

  private async waited(call: Call, exec: Exec, wait: number | undefined): Promise<Exec> {
    if ((wait ?? call.preferWaitSeconds) === 0) return exec;
    return await this.get(call, exec.id, wait);
  }
}

const hasEnded = (exec: Exec): boolean => isTerminal(EXEC_TRANSITIONS, exec.state);

const hasStarted = (exec: Exec): boolean => exec.state === 'running' || hasEnded(exec);

const noSuchExec = (): DomainError => new DomainError('not_found', 'There is no such exec.');

const keyReused = (): DomainError =>
  new DomainError('idempotency_key_reused', 'This Idempotency-Key was used for another request.');
