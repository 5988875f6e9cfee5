import type { EventEmitter } from 'node:events';
import type { Broken } from '../broken.js';
import type { Client } from '../client.js';
import { textOf } from '../pause.js';
import type { Random } from '../random.js';
import { ANSWER_MS, Asker, type SeenOperation } from './asker.js';

const EXEC_WAIT_SECONDS = 20;
const ROUNDS_MIN = 1;
const ROUNDS_MAX = 4;
/** What is asked of a sandbox between its making and its deletion, by how often. */
const ACTIONS = [
  { name: 'restart', weight: 3 },
  { name: 'mark', weight: 3 },
  { name: 'stop', weight: 1 },
  { name: 'start', weight: 1 },
] as const;

export interface LifePlace {
  readonly client: Client;
  readonly owner: string;
  readonly moments: EventEmitter;
  /** Told of the sandbox as soon as it is known. */
  readonly onSandbox: (id: string) => void;
  /** Looked at when nothing is asked of it, before it is deleted. */
  readonly inspect: (id: string) => Promise<readonly Broken[]>;
}

/** One sandbox from its making to its deletion, and what is asked of it meanwhile. A client that insists, and notes what it was told. */
export class Life {
  private readonly asker: Asker;
  private readonly own: Broken[] = [];
  private sandboxId = '';
  private marks = 0;
  private readonly certain: number[] = [];

  constructor(
    private readonly place: LifePlace,
    private readonly random: Random,
  ) {
    this.asker = new Asker({ client: place.client, moments: place.moments, name: place.owner });
  }

  get operations(): readonly SeenOperation[] {
    return [...this.asker.operations.values()];
  }

  get parks(): number {
    return this.asker.parks;
  }

  get broken(): readonly Broken[] {
    return [...this.own, ...this.asker.broken];
  }

  /** The signal says that time is over: what is under way ends, and the sandbox is deleted. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      await this.make();
      const rounds = this.random.integer(ROUNDS_MIN, ROUNDS_MAX);
      for (let round = 0; round < rounds && !signal.aborted; round++) {
        const { name } = this.random.weighted(ACTIONS);
        if (name === 'mark') await this.mark();
        else await this.asker.ask('POST', `/v1/sandboxes/${this.sandboxId}/${name}`);
      }
      this.own.push(...(await this.place.inspect(this.sandboxId)));
      await this.asker.ask('DELETE', `/v1/sandboxes/${this.sandboxId}`);
    } catch (error) {
      this.own.push({ kind: 'refused', detail: `${this.place.owner}: ${textOf(error)}` });
    }
  }

  private async make(): Promise<void> {
    const { owner, onSandbox } = this.place;
    await this.asker.ask('POST', '/v1/sandboxes', {
      body: { owner },
      onSandbox: (id) => {
        if (this.sandboxId === '') onSandbox(id);
        this.sandboxId = id;
      },
    });
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
        this.own.push({
          kind: 'workspace',
          detail: `${owner}: mark ${one} is there ${times} times after mark ${mark}`,
        });
    }
  }
}
