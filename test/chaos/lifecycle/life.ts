import type { EventEmitter } from 'node:events';
import type { Client } from '../client.js';
import { pause, textOf } from '../pause.js';
import type { Random } from '../random.js';

const ANSWER_MS = 240_000;
const END_WITHIN_MS = 420_000;
const LOOK_MS = 150;
const EXEC_WAIT_SECONDS = 20;
const ROUNDS_MIN = 1;
const ROUNDS_MAX = 4;
const RETRIES_MAX = 40;
/** What is asked of a sandbox between its making and its deletion, by how often. */
const ACTIONS = [
  { name: 'restart', weight: 3 },
  { name: 'mark', weight: 3 },
  { name: 'stop', weight: 1 },
  { name: 'start', weight: 1 },
] as const;

export interface SeenStep {
  readonly name: string;
  readonly startedAt: string;
  readonly finishedAt: string | null;
}

/** The operation resource, as far as the checks read it. */
export interface SeenOperation {
  readonly id: string;
  readonly sandboxId: string;
  readonly kind: string;
  readonly state: string;
  readonly steps: readonly SeenStep[];
  readonly park: { readonly step: string; readonly parkNo: number; readonly failure: Failure } | null;
  readonly failure: Failure | null;
  readonly createdAt: string;
  readonly finishedAt: string | null;
}

interface Failure {
  readonly code: string;
  readonly message: string;
}

export interface Broken {
  readonly kind:
    | 'no end'
    | 'no reason'
    | 'refused'
    | 'workspace'
    | 'second container'
    | 'wrong state'
    | 'leak'
    | 'recovery';
  readonly detail: string;
}

export interface LifePlace {
  readonly client: Client;
  readonly owner: string;
  readonly moments: EventEmitter;
  /** Told of the sandbox as soon as it is known. */
  readonly onSandbox: (id: string) => void;
  /** Looked at when nothing is asked of it, before it is deleted. */
  readonly inspect: (id: string) => Promise<readonly Broken[]>;
}

const ENDED = new Set(['succeeded', 'failed', 'canceled']);

/** One sandbox from its making to its deletion, and what is asked of it meanwhile. A client that insists, and notes what it was told. */
export class Life {
  readonly operations = new Map<string, SeenOperation>();
  readonly broken: Broken[] = [];
  parks = 0;
  private sandboxId = '';
  private marks = 0;
  private readonly certain: number[] = [];

  constructor(
    private readonly place: LifePlace,
    private readonly random: Random,
  ) {}

  /** The signal says that time is over: what is under way ends, and the sandbox is deleted. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      await this.ask('POST', '/v1/sandboxes', { owner: this.place.owner });
      const rounds = this.random.integer(ROUNDS_MIN, ROUNDS_MAX);
      for (let round = 0; round < rounds && !signal.aborted; round++) {
        const { name } = this.random.weighted(ACTIONS);
        if (name === 'mark') await this.mark();
        else await this.ask('POST', `/v1/sandboxes/${this.sandboxId}/${name}`);
      }
      this.broken.push(...(await this.place.inspect(this.sandboxId)));
      await this.ask('DELETE', `/v1/sandboxes/${this.sandboxId}`);
    } catch (error) {
      this.broken.push({ kind: 'refused', detail: `${this.place.owner}: ${textOf(error)}` });
    }
  }

  /** Until it is so. Another operation that holds the sandbox is waited for, as the problem names it. */
  private async ask(method: string, path: string, body?: object): Promise<void> {
    const { client, moments, owner } = this.place;
    for (let time = 1; time <= RETRIES_MAX; time++) {
      moments.emit('posting');
      const headers = {
        'idempotency-key': `${owner}-${this.operations.size}-${time}-${path.length}-${method}`,
      };
      const answer = await client.insist(Date.now() + ANSWER_MS, method, path, {
        headers,
        ...(body && { body }),
      });
      moments.emit('accepted');
      const told = answer.body as {
        readonly sandbox?: { readonly id: string };
        readonly operation?: { readonly id: string } | null;
        readonly operationId?: string;
        readonly code?: string;
      };
      if (answer.status < 300) {
        if (told.sandbox) this.know(told.sandbox.id);
        if (!told.operation) return;
        const ended = await this.follow(told.operation.id);
        // What could not be started, or was given up, has said why; whoever wants it asks again.
        if (ended === undefined || ended.state === 'succeeded') return;
      } else if (told.code === 'operation_in_progress' && told.operationId !== undefined) {
        await this.follow(told.operationId);
      } else if (told.code === 'invalid_state') {
        return;
      } else {
        throw new Error(`${method} ${path} answered ${answer.status} ${JSON.stringify(answer.body)}`);
      }
    }
    throw new Error(`${method} ${path} did not come about in ${RETRIES_MAX} times.`);
  }

  private know(id: string): void {
    if (this.sandboxId === '') this.place.onSandbox(id);
    this.sandboxId = id;
  }

  /** To its end; a parked one is retried, as its owner would once the cause is mended. */
  private async follow(id: string): Promise<SeenOperation | undefined> {
    const { client, moments } = this.place;
    let steps = -1;
    let retried = 0;
    for (const giveUpAt = Date.now() + END_WITHIN_MS; Date.now() < giveUpAt; await pause(LOOK_MS)) {
      const { status, body } = await client.insist(giveUpAt, 'GET', `/v1/operations/${id}`);
      if (status !== 200) throw new Error(`operation ${id}: ${status} ${JSON.stringify(body)}`);
      const seen = body as SeenOperation;
      this.operations.set(id, seen);
      if (seen.steps.length !== steps) moments.emit('ended');
      steps = seen.steps.length;
      if (ENDED.has(seen.state)) {
        if (seen.state !== 'succeeded' && !seen.failure?.message) {
          this.broken.push({
            kind: 'no reason',
            detail: `the ${seen.kind} ${id} is ${seen.state} without one`,
          });
        }
        return seen;
      }
      if (seen.park !== null && seen.park.parkNo > retried) {
        retried = seen.park.parkNo;
        this.parks += 1;
        const { step, parkNo } = seen.park;
        await client.insist(giveUpAt, 'POST', `/v1/operations/${id}/retry`, { body: { step, parkNo } });
      }
    }
    const seen = this.operations.get(id);
    this.broken.push({
      kind: 'no end',
      detail: `${seen?.kind} ${id} is ${seen?.state}: ${JSON.stringify(seen?.steps.at(-1))}`,
    });
    return undefined;
  }

  /** Writes a line into the workspace and reads all of them: what was certainly written is there once, whatever happened since. */
  private async mark(): Promise<void> {
    const { client, owner } = this.place;
    const mark = (this.marks += 1);
    const path = `/v1/sandboxes/${this.sandboxId}/execs?wait=${EXEC_WAIT_SECONDS}`;
    const request = {
      body: { command: `echo m${mark} >> /workspace/marks; cat /workspace/marks` },
      headers: { 'idempotency-key': `${owner}-mark-${mark}` },
    };
    const { status, body } = await client.insist(Date.now() + ANSWER_MS, 'POST', path, request);
    const exec = body as { readonly id: string; readonly state: string };
    // Under kills it may be refused, wait, or be lost; only what is said to have been done is held against Berth.
    if (status >= 300 || exec.state !== 'succeeded') return;
    const output = await client.insist(
      Date.now() + ANSWER_MS,
      'GET',
      `/v1/execs/${exec.id}/output?stream=stdout`,
    );
    const lines = String(output.body).split('\n').slice(0, -1);
    this.certain.push(mark);
    for (const one of this.certain) {
      const times = lines.filter((line) => line === `m${one}`).length;
      if (times !== 1)
        this.broken.push({
          kind: 'workspace',
          detail: `${owner}: mark ${one} is there ${times} times after mark ${mark}`,
        });
    }
  }
}
