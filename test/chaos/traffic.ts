import type { EventEmitter } from 'node:events';
import type { Client, ExecBody } from './client.js';
import { Flight } from './flight.js';
import { pause } from './pause.js';
import { planProgram } from './programs.js';
import type { Random } from './random.js';

const SANDBOX_TIMEOUT_MS = 120_000;
/** Starts are spread, so that a kill finds execs in every phase. */
const LAUNCH_GAP_MS_MAX = 250;

export interface TrafficPlace {
  readonly client: Client;
  readonly source: string;
  readonly runId: string;
  readonly sandboxIds: readonly string[];
  readonly moments: EventEmitter;
  readonly inFlight: number;
}

/** Keeps execs in flight: whenever one lands, the next one of the seed's endless list takes off. */
export class Traffic {
  readonly flights: Flight[] = [];
  private landed = 0;

  constructor(
    private readonly place: TrafficPlace,
    private readonly random: Random,
  ) {}

  get inFlight(): number {
    return this.flights.length - this.landed;
  }

  get ended(): number {
    return this.landed;
  }

  /** Until the signal; then it waits for those in flight. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(Array.from({ length: this.place.inFlight }, () => this.lane(signal)));
  }

  private async lane(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.flyOnce();
      await pause(this.random.integer(0, LAUNCH_GAP_MS_MAX), signal);
    }
  }

  private async flyOnce(): Promise<void> {
    const { client, source, runId, sandboxIds, moments } = this.place;
    const number = this.flights.length + 1;
    // A fork for each, so that what an exec is depends on its number alone, and not on when it is its turn.
    const random = this.random.fork(`exec ${number}`);
    const program = planProgram(random, `${runId}-${number}`);
    const sandboxId = random.pick(sandboxIds);
    const flight = new Flight(program, { client, sandboxId, source, runId, moments }, random);
    this.flights.push(flight);
    await flight.run();
    this.landed += 1;
  }
}

/** A sandbox of its own for each owner, running. */
export async function openSandbox(client: Client, owner: string): Promise<string> {
  const { status, body } = await client.insist(
    Date.now() + SANDBOX_TIMEOUT_MS,
    'POST',
    '/v1/sandboxes?wait=60',
    { body: { owner }, headers: { 'idempotency-key': `sandbox-of-${owner}` } },
  );
  if (status >= 300) throw new Error(`POST /v1/sandboxes answered ${status}: ${JSON.stringify(body)}`);
  return (body as { sandbox: { id: string } }).sandbox.id;
}

/** All execs of a sandbox, by the list of the API. */
export async function listExecs(client: Client, sandboxId: string, giveUpAt: number): Promise<ExecBody[]> {
  const found: ExecBody[] = [];
  let cursor: string | null = null;
  do {
    const next: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const { status, body } = await client.insist(
      giveUpAt,
      'GET',
      `/v1/sandboxes/${sandboxId}/execs?limit=200${next}`,
    );
    if (status !== 200) throw new Error(`The list of execs answered ${status}: ${JSON.stringify(body)}`);
    const page = body as { items: ExecBody[]; nextCursor: string | null };
    found.push(...page.items);
    cursor = page.nextCursor;
  } while (cursor !== null);
  return found;
}
