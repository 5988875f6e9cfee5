import type { Duplex } from 'node:stream';
import {
  isDomainError,
  type CancelResult,
  type FollowEvent,
  type InputPiece,
  type InputResult,
  type Resize,
  type ResizeState,
  type RunnerConnection,
  type RunnerExecStatus,
  type SendableSignal,
  type StartRequest,
  type StartResult,
} from '#domain';
import type { Answer } from './answer.js';
import { encodeJsonMessage, encodeMessage, MessageDecoder } from './channel.codec.js';
import { MESSAGE, PROTOCOL_VERSIONS, PROTOCOL_WITH_INPUT, type ChannelMessage } from './channel.protocol.js';
import { ChannelTransport, type Framing } from './channel.transport.js';
import { FOLLOW_WINDOW_BYTES, FollowQueue } from './follow.queue.js';
import { Pending } from './pending.js';
import {
  cancelResultFrom,
  inputResultFrom,
  resizeStateFrom,
  startResultFrom,
  statusFrom,
} from './runner.answers.js';
import { brokenProtocol, olderRunner, unreachable } from './runner.errors.js';
import { startMessageOf } from './start-message.js';
import { encodeStdin } from './stdin.codec.js';

const HELLO_DEADLINE_MS = 15_000;
const ANSWER_DEADLINE_MS = 15_000;
/** Beyond the grace: what the runner itself allows for a verified end, and the way there and back. */
const CANCEL_MARGIN_MS = 45_000;
const PING_INTERVAL_MS = 5_000;
const SILENCE_MS_MAX = 15_000;
const LIST_PAGE_SIZE = 200;
const LIST_PAGES_MAX = 100;
/** Credit is given back in pieces of this size, so that small output costs few messages. */
const CREDIT_STEP_BYTES = FOLLOW_WINDOW_BYTES / 4;
const REQUEST_ID_MAX = 4_294_967_295;
const CLIENT_NAME = 'berth-host';

export interface RunnerHello {
  readonly protocol: number;
  readonly version: string;
  readonly bootId: string;
  readonly epoch: number;
  readonly mode: 'init' | 'drain';
}

/** One channel to one runner: many requests and follows at once over one byte stream. It never opens another by itself. */
export class RunnerChannel implements RunnerConnection {
  readonly closed: Promise<Error | undefined>;
  private settleClosed: (reason: Error | undefined) => void = () => undefined;
  private end: { readonly reason: Error } | undefined;
  private readonly transport: ChannelTransport;
  private readonly pending = new Pending();
  private readonly follows = new Map<number, FollowQueue>();
  private readonly pinging: NodeJS.Timeout;
  private lastHeardAt = performance.now();
  private lastRequestId = 0;
  private greeting: RunnerHello | undefined;

  private constructor(stream: Duplex, framing: Framing) {
    this.closed = new Promise((resolve) => (this.settleClosed = resolve));
    const decoder = new MessageDecoder((message) => this.receive(message));
    this.transport = new ChannelTransport(stream, framing, {
      onBytes: (bytes) => decoder.push(bytes),
      onEnd: (reason) => this.finish(this.greeting === undefined ? notTheRunner(reason) : reason),
    });
    this.pinging = setInterval(() => this.ping(), PING_INTERVAL_MS).unref();
  }

  /** Greets the runner at the other end. The stream is destroyed when that fails. */
  static async open(stream: Duplex, framing: Framing): Promise<RunnerChannel> {
    const channel = new RunnerChannel(stream, framing);
    try {
      channel.greeting = await channel.greet();
      return channel;
    } catch (error) {
      channel.transport.finish(error instanceof Error ? error : unreachable('The greeting failed.', error));
      throw error;
    }
  }

  get hello(): RunnerHello {
    if (this.greeting === undefined) throw new TypeError('The channel is not open.');
    return this.greeting;
  }

  async start(request: StartRequest): Promise<StartResult> {
    if (request.stdin !== undefined || request.tty !== undefined) this.needsInput();
    return startResultFrom(await this.ask(MESSAGE.start, startMessageOf(request)));
  }

  async status(execId: string): Promise<RunnerExecStatus> {
    return statusFrom(await this.ask(MESSAGE.status, { execId }));
  }

  async list(): Promise<RunnerExecStatus[]> {
    const execs: RunnerExecStatus[] = [];
    let after: string | undefined;
    for (let page = 0; page < LIST_PAGES_MAX; page++) {
      const answer = await this.ask(MESSAGE.list, {
        ...(after === undefined ? {} : { after }),
        limit: LIST_PAGE_SIZE,
      });
      execs.push(...answer.list('execs', LIST_PAGE_SIZE).map((entry) => statusFrom(entry)));
      if (!answer.has('next')) return execs;
      after = answer.text('next');
    }
    throw brokenProtocol(`The runner lists more than ${LIST_PAGES_MAX * LIST_PAGE_SIZE} execs.`);
  }

  async *follow(execId: string, fromPosition: number, signal: AbortSignal): AsyncIterable<FollowEvent> {
    signal.throwIfAborted();
    const queue = new FollowQueue(fromPosition);
    const requestId = this.nextRequestId();
    // Entered before it is sent, so that no answer can come too early.
    this.follows.set(requestId, queue);
    this.transport.send(
      encodeJsonMessage(MESSAGE.follow, requestId, {
        execId,
        from: fromPosition,
        window: FOLLOW_WINDOW_BYTES,
      }),
    );
    const abort = (): void => queue.abort(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
    const deadline = setTimeout(
      () => queue.fail(unreachable('A follow was not answered in time.')),
      ANSWER_DEADLINE_MS,
    );
    void queue.acknowledged.then(() => clearTimeout(deadline));
    let over = false;
    let owed = 0;
    try {
      while (!over) {
        const event = await queue.next();
        over = event.kind !== 'frames';
        yield event;
        if (event.kind === 'frames') owed = this.giveCredit(requestId, queue, owed + event.bytes.byteLength);
      }
    } finally {
      clearTimeout(deadline);
      signal.removeEventListener('abort', abort);
      this.follows.delete(requestId);
      if (!over) this.transport.send(encodeJsonMessage(MESSAGE.unfollow, requestId, {}));
    }
  }

  async commit(execId: string, position: number): Promise<void> {
    await this.ask(MESSAGE.commit, { execId, position });
  }

  async cancel(execId: string, graceMs: number): Promise<CancelResult> {
    return await this.endExec({ execId, graceMs });
  }

  async endForStop(execId: string, graceMs: number): Promise<CancelResult> {
    return await this.endExec({ execId, graceMs, stops: true });
  }

  async writeStdin(execId: string, piece: InputPiece): Promise<InputResult> {
    this.needsInput();
    const requestId = this.nextRequestId();
    const bytes = encodeMessage(MESSAGE.stdin, requestId, encodeStdin(execId, piece));
    return inputResultFrom(await this.answerTo(requestId, bytes, ANSWER_DEADLINE_MS));
  }

  async signal(execId: string, signal: SendableSignal): Promise<number> {
    this.needsInput();
    return (await this.ask(MESSAGE.signal, { execId, signal })).integer('processGroup');
  }

  async resize(execId: string, { size, writer }: Resize): Promise<ResizeState> {
    this.needsInput();
    const request = { execId, ...size, ...(writer === null ? {} : { writer }) };
    return resizeStateFrom(await this.ask(MESSAGE.resize, request));
  }

  async forget(execId: string): Promise<void> {
    await this.ask(MESSAGE.forget, { execId });
  }

  async close(): Promise<void> {
    this.transport.finish(new ClosedByUs());
    await this.closed;
  }

  private async greet(): Promise<RunnerHello> {
    const answer = await this.ask(
      MESSAGE.hello,
      { protocols: PROTOCOL_VERSIONS, client: CLIENT_NAME },
      HELLO_DEADLINE_MS,
    );
    const protocol = answer.integer('protocol');
    if (!PROTOCOL_VERSIONS.some((version) => version === protocol)) {
      throw brokenProtocol(`The runner chose protocol ${protocol}.`);
    }
    return {
      protocol,
      version: answer.text('version'),
      bootId: answer.text('bootId'),
      epoch: answer.integer('epoch'),
      mode: answer.oneOf('mode', ['init', 'drain']),
    };
  }

  private async ask(type: number, request: unknown, deadlineMs = ANSWER_DEADLINE_MS): Promise<Answer> {
    const requestId = this.nextRequestId();
    return await this.answerTo(requestId, encodeJsonMessage(type, requestId, request), deadlineMs);
  }

  private async answerTo(requestId: number, bytes: Uint8Array, deadlineMs: number): Promise<Answer> {
    // Entered before it is sent, so that no answer can come too early.
    const answer = this.pending.answer(requestId, deadlineMs);
    this.transport.send(bytes);
    return await answer;
  }

  private async endExec(request: { execId: string; graceMs: number; stops?: true }): Promise<CancelResult> {
    return cancelResultFrom(await this.ask(MESSAGE.cancel, request, request.graceMs + CANCEL_MARGIN_MS));
  }

  private needsInput(): void {
    if (this.hello.protocol < PROTOCOL_WITH_INPUT) throw olderRunner();
  }

  private nextRequestId(): number {
    if (this.end !== undefined) throw this.end.reason;
    if (this.lastRequestId >= REQUEST_ID_MAX) throw unreachable('The channel has used up its request ids.');
    this.lastRequestId += 1;
    return this.lastRequestId;
  }

  /** The reader has dealt with what it got, so the runner may send as much again. */
  private giveCredit(requestId: number, queue: FollowQueue, owed: number): number {
    if (owed < CREDIT_STEP_BYTES) return owed;
    queue.extend(owed);
    this.transport.send(encodeJsonMessage(MESSAGE.window, requestId, { bytes: owed }));
    return 0;
  }

  private receive(message: ChannelMessage): void {
    this.lastHeardAt = performance.now();
    if (message.type === MESSAGE.pong) return;
    if (this.pending.receive(message)) return;
    const queue = this.follows.get(message.requestId);
    if (queue !== undefined) {
      queue.receive(message);
      return;
    }
    // A follow that was left or a request past its deadline may still be answered.
    const wasAsked = message.requestId > 0 && message.requestId <= this.lastRequestId;
    if (!wasAsked) throw this.pending.unaskedAnswer(message);
  }

  private ping(): void {
    if (performance.now() - this.lastHeardAt > SILENCE_MS_MAX) {
      this.transport.finish(unreachable(`Nothing came from the runner for ${SILENCE_MS_MAX} ms.`));
      return;
    }
    this.transport.send(encodeMessage(MESSAGE.ping, 0, new Uint8Array(0)));
  }

  private finish(reason: Error): void {
    clearInterval(this.pinging);
    const ours = reason instanceof ClosedByUs;
    this.end = { reason: ours ? unreachable('The channel was closed.') : reason };
    this.pending.failAll(this.end.reason);
    for (const queue of this.follows.values()) queue.fail(this.end.reason);
    this.settleClosed(ours ? undefined : reason);
  }
}

/** An engine that cannot start the exec says so in words on the same stream. Before the greeting nothing proves that the runner spoke. */
function notTheRunner(reason: Error): Error {
  if (!isDomainError(reason, 'runner_protocol')) return reason;
  return unreachable('What answered was not the runner.', reason);
}

class ClosedByUs extends Error {
  override readonly name = 'ClosedByUs';
}
