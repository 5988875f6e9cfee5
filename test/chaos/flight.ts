import type { EventEmitter } from 'node:events';
import { hasEnded, NoAnswerError, type Client, type ExecBody } from './client.js';
import type { StreamName } from './expected-bytes.js';
import { followOverHttp, readStored, totalOf } from './http-reader.js';
import { pause, textOf } from './pause.js';
import { naturalMs, requestOf, type Program } from './programs.js';
import type { Random } from './random.js';
import { Readings } from './readings.js';
import { SocketReader, type SocketResult } from './socket-reader.js';
import { writeStdin } from './stdin-writer.js';
import type { Violation } from './violation.js';

/** How long a client goes on asking for an exec to be taken. */
const ACCEPT_MS = 240_000;
/** How long after its natural end an exec may be without one, with kills going on all the time. */
export const END_SLACK_MS = 240_000;
const WAIT_SECONDS = 15;
const TWIN_CHANCE = 0.15;
const SOCKET_CHANCE = 0.5;
const HTTP_CHANCE = 0.4;
const READERS_LEAVE_MS = 180_000;
/** What is stored can be read again as soon as everything is back, also after a loss of power. */
const READ_WITHIN_MS = 180_000;
const READ_RETRY_MS = 500;

export interface FlightPlace {
  readonly client: Client;
  readonly sandboxId: string;
  readonly source: string;
  readonly runId: string;
  /** Emits `posting`, `accepted` and `ended`: moments at which a kill is worth most. */
  readonly moments: EventEmitter;
}

/** One exec from its request to the last check that can be made while others fly, as a client sees it. */
export class Flight {
  readonly readings: Readings;
  readonly violations: Violation[] = [];
  readonly askedAtMs = Date.now();
  acceptedAtMs: number | undefined;
  execId: string | undefined;
  refusal: string | undefined;
  end: ExecBody | undefined;
  endSeenAtMs: number | undefined;
  /** Where its output was when all of it was read for the last time. */
  keptIn: ExecBody['outputState'] | undefined;
  cancelAnswer: number | undefined;
  socket: SocketResult | undefined;

  constructor(
    readonly program: Program,
    readonly place: FlightPlace,
    private readonly random: Random,
  ) {
    this.readings = new Readings(program);
  }

  get sandboxId(): string {
    return this.place.sandboxId;
  }

  async run(): Promise<void> {
    await this.send();
    if (this.execId === undefined) return;
    this.acceptedAtMs = Date.now();
    this.place.moments.emit('accepted');
    const landing = new AbortController();
    const readers = this.startReaders(this.execId, landing.signal);
    const cancel = this.cancelLater(this.execId);
    const ended = new AbortController();
    const input = this.writeInput(this.execId, ended.signal);
    await this.awaitEnd(this.execId);
    ended.abort();
    await Promise.all([cancel, input]);
    const leave = setTimeout(() => landing.abort(), READERS_LEAVE_MS);
    await Promise.all(readers);
    clearTimeout(leave);
    landing.abort();
    if (this.end !== undefined) await this.readAll(this.end);
  }

  /** Some requests are sent several times at once; all have one key and must be one exec. */
  private async send(): Promise<void> {
    const { client, sandboxId, source, runId, moments } = this.place;
    const request = {
      body: requestOf(this.program, source),
      headers: { 'idempotency-key': `${runId}-${this.program.key}` },
    };
    const twins = this.random.chance(TWIN_CHANCE) ? this.random.integer(2, 4) : 1;
    const path = `/v1/sandboxes/${sandboxId}/execs`;
    moments.emit('posting');
    const send = async (): Promise<void> => {
      const answer = await client.insist(Date.now() + ACCEPT_MS, 'POST', path, request);
      const { id } = answer.body as Partial<ExecBody>;
      if (answer.status >= 300 || id === undefined) {
        this.refusal = `${answer.status} ${JSON.stringify(answer.body)}`;
        this.violate('refused', `POST ${path} answered ${this.refusal}`);
      } else if (this.execId !== undefined && this.execId !== id) {
        this.violate('second run', `one Idempotency-Key became the execs ${this.execId} and ${id}`);
      } else this.execId = id;
    };
    const sent = await Promise.allSettled(Array.from({ length: twins }, send));
    for (const one of sent) {
      if (one.status === 'rejected') this.refuse(one.reason);
    }
  }

  private refuse(reason: unknown): void {
    this.refusal = textOf(reason);
    if (!(reason instanceof NoAnswerError)) throw reason;
    this.violate('refused', this.refusal);
  }

  private startReaders(execId: string, signal: AbortSignal): Promise<void>[] {
    const { client } = this.place;
    const readers: Promise<void>[] = [];
    if (this.random.chance(SOCKET_CHANCE)) readers.push(this.readSocket(execId, signal));
    for (const stream of ['stdout', 'stderr'] as const) {
      const planned = stream === 'stdout' ? this.program.stdoutBytes : this.program.stderrBytes;
      if (planned === 0 || !this.random.chance(HTTP_CHANCE)) continue;
      const from = this.random.chance(0.5) ? 0 : this.random.integer(0, planned);
      readers.push(followOverHttp(client, this.readings, { execId, stream, from }, signal));
    }
    return readers;
  }

  private async readSocket(execId: string, signal: AbortSignal): Promise<void> {
    const reader = new SocketReader(this.place.client, this.readings, execId, this.random);
    this.socket = await reader.follow(signal);
    for (const problem of this.socket.problems) this.violate('socket', problem);
    if (this.socket.end === undefined && this.socket.problems.length === 0) {
      this.violate('socket', `no end frame came within ${READERS_LEAVE_MS / 1000} s of the end`);
    }
  }

  private async writeInput(execId: string, ended: AbortSignal): Promise<void> {
    if (this.program.stdinBytes === undefined) return;
    const { program, place, random } = this;
    const problems = await writeStdin(place.client, { program, execId }, random.fork('stdin'), ended);
    for (const problem of problems) this.violate('input', problem);
  }

  private async cancelLater(execId: string): Promise<void> {
    const { cancelAfterMs } = this.program;
    if (cancelAfterMs === undefined) return;
    await pause(cancelAfterMs);
    try {
      const path = `/v1/execs/${execId}/cancel`;
      const { status, body } = await this.place.client.insist(Date.now() + ACCEPT_MS, 'POST', path);
      this.cancelAnswer = status;
      // What has ended cannot be canceled, and says so.
      if (status >= 300 && status !== 409)
        this.violate('refused', `cancel: ${status} ${JSON.stringify(body)}`);
    } catch (error) {
      this.refuse(error);
    }
  }

  /** It asks at least as long as an end may take, and remembers every answer that should not have been. */
  private async awaitEnd(execId: string): Promise<void> {
    const { client, moments } = this.place;
    const giveUpAt = Date.now() + naturalMs(this.program) + END_SLACK_MS;
    let last = 'nothing';
    while (Date.now() < giveUpAt) {
      try {
        const { status, body } = await client.insist(
          giveUpAt,
          'GET',
          `/v1/execs/${execId}?wait=${WAIT_SECONDS}`,
        );
        if (status !== 200) {
          this.violate('forgotten', `GET /v1/execs/${execId} answered ${status} ${JSON.stringify(body)}`);
          return;
        }
        last = JSON.stringify({ ...(body as ExecBody), argv: undefined });
        if (hasEnded(body as ExecBody)) {
          this.end = body as ExecBody;
          this.endSeenAtMs = Date.now();
          moments.emit('ended');
          return;
        }
      } catch (error) {
        if (!(error instanceof NoAnswerError)) throw error;
      }
    }
    this.violate(
      'no end',
      `no end within ${END_SLACK_MS / 1000} s of its natural one; the last answer: ${last}`,
    );
  }

  /** Both streams from their beginning, and each from somewhere within. */
  async readAll(end: ExecBody): Promise<void> {
    for (const stream of ['stdout', 'stderr'] as const) {
      const total = totalOf(end, stream);
      if (total === 0) continue;
      await this.readFrom(end, stream, 0);
      await this.readFrom(end, stream, this.random.integer(0, total - 1));
    }
  }

  private async readFrom(end: ExecBody, stream: StreamName, from: number): Promise<void> {
    const target = { execId: end.id, stream, from };
    const giveUpAt = performance.now() + READ_WITHIN_MS;
    let read: { bytes: number; sha256: string } | undefined;
    do {
      read = await readStored(this.place.client, this.readings, target);
      if (read?.bytes === totalOf(end, stream) - from) break;
      await pause(READ_RETRY_MS);
    } while (performance.now() < giveUpAt);
    if (read !== undefined) this.compare(end, target, read);
    else
      this.violate('output', `the ${stream} from ${from} could not be read in ${READ_WITHIN_MS / 1_000} s`);
  }

  private compare(
    end: ExecBody,
    { stream, from }: { stream: StreamName; from: number },
    read: { bytes: number; sha256: string },
  ): void {
    const total = totalOf(end, stream);
    if (read.bytes !== total - from) {
      const detail = `${read.bytes} bytes from ${from} on of ${total}`;
      this.readings.add('http at the end', stream, 'bytes are gone', detail);
    }
    const recorded = stream === 'stdout' ? end.exitRecord?.stdoutSha256 : end.exitRecord?.stderrSha256;
    if (from === 0 && recorded !== undefined && recorded !== read.sha256) {
      const detail = `SHA-256 ${read.sha256}, and the exit record says ${recorded}`;
      this.readings.add('http at the end', stream, 'wrong bytes', detail);
    }
  }

  private violate(kind: Violation['kind'], detail: string): void {
    const { key } = this.program;
    this.violations.push({ kind, key, execId: this.execId, detail });
  }
}
