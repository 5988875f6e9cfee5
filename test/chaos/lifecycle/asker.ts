import type { EventEmitter } from 'node:events';
import type { Broken } from '../broken.js';
import type { Client } from '../client.js';
import { pause } from '../pause.js';

export const ANSWER_MS = 240_000;
export const END_WITHIN_MS = 420_000;
export const LOOK_MS = 150;
const RETRIES_MAX = 40;

export interface SeenStep {
  readonly name: string;
  readonly startedAt: string;
  readonly finishedAt: string | null;
  readonly failure?: SeenFailure | null;
}

export interface SeenPark {
  readonly step: string;
  readonly parkNo: number;
  readonly failure: SeenFailure;
}

export interface SeenFailure {
  readonly code: string;
  readonly message: string;
}

/** The operation resource, as far as the checks read it. */
export interface SeenOperation {
  readonly id: string;
  readonly sandboxId: string;
  readonly kind: string;
  readonly state: string;
  readonly steps: readonly SeenStep[];
  readonly park: SeenPark | null;
  readonly failure: SeenFailure | null;
  /** What a git operation has brought about. */
  readonly result?: { readonly outcome: string; readonly commit?: string } | null;
  readonly createdAt: string;
  readonly finishedAt: string | null;
}

/** What a person decides about a run that is parked. */
export interface ParkDecision {
  readonly decision: 'retry' | 'abort';
  readonly input?: object;
}

export interface Asked {
  readonly body?: object;
  readonly onSandbox?: (id: string) => void;
  /** Told as soon as it is taken. */
  readonly onOperation?: (id: string) => void;
  readonly decide?: (park: SeenPark) => ParkDecision;
  /** However it ends: what was given up on purpose is not asked for again. */
  readonly isOnce?: boolean;
}

export interface AskerPlace {
  readonly client: Client;
  readonly moments: EventEmitter;
  /** Makes its keys its own. */
  readonly name: string;
}

const ENDED = new Set(['succeeded', 'failed', 'canceled']);
const RETRY = (): ParkDecision => ({ decision: 'retry' });

/** A client that insists until what it wants is so, and notes what it was told. */
export class Asker {
  readonly operations = new Map<string, SeenOperation>();
  readonly broken: Broken[] = [];
  parks = 0;
  private asked = 0;

  constructor(private readonly place: AskerPlace) {}

  /** Another operation that holds the sandbox is waited for, as the problem names it. Undefined where nothing had to be done. */
  async ask(method: string, path: string, asked: Asked = {}): Promise<SeenOperation | undefined> {
    const { client, moments, name } = this.place;
    const { body, onSandbox, onOperation, decide, isOnce } = asked;
    for (let time = 1; time <= RETRIES_MAX; time++) {
      moments.emit('posting');
      const headers = { 'idempotency-key': `${name}-${(this.asked += 1)}` };
      const answer = await client.insist(Date.now() + ANSWER_MS, method, path, {
        headers,
        ...(body && { body }),
      });
      moments.emit('accepted');
      const told = answer.body as {
        readonly sandbox?: { readonly id: string };
        readonly operation?: { readonly id: string } | null;
        /** Of an operation that is the answer itself. */
        readonly id?: string;
        readonly steps?: readonly SeenStep[];
        readonly operationId?: string;
        readonly code?: string;
      };
      if (answer.status < 300) {
        if (told.sandbox) onSandbox?.(told.sandbox.id);
        const taken = told.steps === undefined ? told.operation?.id : told.id;
        if (taken === undefined) return undefined;
        onOperation?.(taken);
        const ended = await this.follow(taken, decide);
        // What could not be started, or was given up, has said why; whoever wants it asks again.
        if (ended === undefined || ended.state === 'succeeded' || isOnce === true) return ended;
      } else if (told.code === 'operation_in_progress' && told.operationId !== undefined) {
        await this.follow(told.operationId);
      } else if (told.code === 'invalid_state') {
        return undefined;
      } else {
        throw new Error(`${method} ${path} answered ${answer.status} ${JSON.stringify(answer.body)}`);
      }
    }
    throw new Error(`${method} ${path} did not come about in ${RETRIES_MAX} times.`);
  }

  /** To its end; one that parks is decided, as its owner would once the cause is known. */
  private async follow(
    id: string,
    decide: NonNullable<Asked['decide']> = RETRY,
  ): Promise<SeenOperation | undefined> {
    const { client, moments } = this.place;
    let steps = -1;
    let decided = 0;
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
      if (seen.park !== null && seen.park.parkNo > decided) {
        decided = seen.park.parkNo;
        this.parks += 1;
        const { step, parkNo } = seen.park;
        const { decision, input } = decide(seen.park);
        const told = { step, parkNo, ...(input && { input }) };
        await client.insist(giveUpAt, 'POST', `/v1/operations/${id}/${decision}`, { body: told });
      }
    }
    const seen = this.operations.get(id);
    this.broken.push({
      kind: 'no end',
      detail: `${seen?.kind} ${id} is ${seen?.state}: ${JSON.stringify(seen?.steps.at(-1))}`,
    });
    return undefined;
  }
}
