import {
  DomainError,
  isDomainError,
  parseExecId,
  type Exec,
  type ExecStore,
  type HostLink,
  type OutputSource,
  type WakeReceiver,
  type WakeSender,
} from '#domain';
import type { Logger } from 'pino';
import type { RawData, WebSocket } from 'ws';
import type { Principal } from '../auth/access.js';
import { execView } from '../execs/exec.view.js';
import { problemOf } from '../http/problem.js';
import type { ExecReader } from '../output/exec-reader.js';
import { placedFramesOf, streamOffsetsAt } from '../output/frame-position.js';
import { parseClientMessage, UnreadableMessageError } from '../socket/client-message.js';
import { Outbox } from '../socket/outbox.js';
import { CLOSE, CLOSE_TIMEOUT_MS, type CloseCause } from '../socket/socket-limits.js';
import type { Caller } from '../socket/socket-sessions.js';
import { SocketVigil } from '../socket/socket-vigil.js';
import { decodeClientFrame, encodeApplied, encodeOutput, encodeStatus } from './terminal-frame.js';
import { TerminalInput, type InputEvent } from './terminal-input.js';
import type { TerminalPlace } from './terminal-place.js';

const PROTOCOL = 1;

export interface TerminalSources {
  readonly execs: ExecStore;
  readonly output: OutputSource;
  readonly reader: ExecReader;
  readonly hosts: HostLink;
  readonly wakes: WakeSender;
  readonly receiver: WakeReceiver;
}

/** One client at one terminal: it is shown everything from its position on, and may type if nobody else has taken that. */
export class TerminalSession {
  private readonly outbox: Outbox;
  private readonly vigil: SocketVigil;
  private readonly ending = new AbortController();
  private input: TerminalInput | undefined;
  private isWriter: boolean | undefined;
  /** Messages are dealt with one after the other, and after the opening. */
  private working: Promise<void> = Promise.resolve();

  constructor(
    private readonly socket: WebSocket,
    private readonly sources: TerminalSources,
    private readonly caller: Caller,
    private readonly log: Logger,
    private readonly place: TerminalPlace,
  ) {
    const { principal, requestId } = caller;
    this.outbox = new Outbox(socket);
    this.vigil = new SocketVigil(socket, this.outbox, (cause) => this.close(cause));
    socket.on('message', (data, isBinary) => this.receive(data, isBinary));
    socket.on('error', (error) => this.log.debug({ requestId, err: error }, 'A terminal socket failed.'));
    socket.once('close', () => this.end());
    if (principal) this.inTurn(() => this.open(principal));
    else this.vigil.awaitAuthentication();
  }

  close(cause: CloseCause): void {
    this.end();
    const { code, reason } = CLOSE[cause];
    this.socket.close(code, reason);
    setTimeout(() => this.socket.terminate(), CLOSE_TIMEOUT_MS).unref();
  }

  private end(): void {
    this.vigil.stop();
    this.ending.abort();
  }

  private receive(data: RawData, isBinary: boolean): void {
    if (!this.vigil.admits()) return this.close('tooManyMessages');
    const bytes = Array.isArray(data) ? Buffer.concat(data) : new Uint8Array(data);
    // Nothing more is read while the opening waits for the database, or for room to answer in.
    this.socket.pause();
    this.inTurn(() => (isBinary ? this.obey(bytes) : this.hear(bytes)));
    this.working = this.working.then(() => this.outbox.room()).then(() => this.socket.resume());
  }

  private inTurn(work: () => void | Promise<void>): void {
    this.working = this.working.then(async () => {
      if (this.ending.signal.aborted) return;
      try {
        await work();
      } catch (error) {
        this.refuse(error);
        this.close(causeOf(error));
      }
    });
  }

  /** Text is what is not of the terminal: who the client is, and whether the server is there. */
  private async hear(bytes: Uint8Array): Promise<void> {
    const message = parseClientMessage(bytes, false);
    if (message.t === 'ping') return this.outbox.send({ t: 'pong' });
    if (message.t !== 'auth') throw new UnreadableMessageError('Send `auth` or `ping`, or binary messages.');
    await this.open(await this.caller.authenticate(message.adminSecret));
  }

  private obey(bytes: Uint8Array): void {
    if (!this.input) throw new DomainError('unauthenticated', 'Send `auth` first.');
    const frame = decodeClientFrame(bytes);
    if (frame.kind === 'input') this.input.type(frame.offset, frame.bytes);
    else if (frame.kind === 'resize') this.input.resize(frame.size);
    else this.input.take();
  }

  private async open(principal: Principal): Promise<void> {
    if (this.input) return;
    this.vigil.authenticated();
    const { execs, output, hosts, receiver } = this.sources;
    const { execId, after, writer } = this.place;
    const id = parseExecId(execId);
    const exec = id && (await execs.find(principal.tenantId, id));
    if (!exec) throw new DomainError('not_found', 'There is no such exec.');
    if (exec.request.tty === null) throw new DomainError('invalid_state', 'This exec has no terminal.');
    if ((await streamOffsetsAt(output, exec, after)) === undefined) {
      throw new DomainError('position_invalid', 'No frame of this exec ends at this position.', {
        pointer: '/after',
        extra: { committedPosition: exec.committedPosition },
      });
    }
    const { signal } = this.ending;
    this.input = new TerminalInput(hosts, exec, writer, signal, (event) => this.hearInput(exec, event));
    const stopListening = receiver.onWake(`terminal:${exec.id}`, () => this.input?.look());
    signal.addEventListener('abort', stopListening, { once: true });
    const { state, committedPosition, request } = exec;
    const opened = {
      protocol: PROTOCOL,
      requestId: this.caller.requestId,
      position: after,
      committedPosition,
    };
    this.status({ kind: 'open', ...opened, state, size: request.tty });
    this.input.look();
    this.show(exec).catch((error: unknown) => {
      if (signal.aborted) return;
      this.refuse(error);
      this.close(causeOf(error));
    });
  }

  private async show(exec: Exec): Promise<void> {
    const { signal } = this.ending;
    const { after } = this.place;
    const events = this.sources.reader.read(exec.id, {
      of: 'frames',
      from: after,
      follow: true,
      signal,
      turn: async () => await this.outbox.turn(),
      onOutage: (error) => this.refuse(error, { retrying: true }),
    });
    let position = after;
    for await (const event of events) {
      if (event.kind === 'state') this.status({ kind: 'state', state: event.exec.state });
      if (event.kind === 'end') this.sayEnd(event.exec, position);
      if (event.kind !== 'chunk') continue;
      for (const placed of placedFramesOf(event.chunk, event.from)) {
        await this.outbox.room();
        if (signal.aborted) return;
        this.outbox.send(encodeOutput(placed));
        position = placed.positionAfter;
      }
    }
  }

  private sayEnd(exec: Exec, position: number): void {
    const { state, exitCode, signal } = exec;
    this.status({ kind: 'end', state, exitCode, signal, position, exec: execView(exec) });
    this.close('ended');
  }

  private hearInput(exec: Exec, event: InputEvent): void {
    if (event.kind === 'applied') return this.outbox.send(encodeApplied(event.appliedTo));
    if (event.kind === 'refused') return this.refuse(event.error);
    const { writer, took, appliedTo } = event;
    const isNews = took || writer !== this.isWriter;
    this.isWriter = writer;
    if (isNews) this.status({ kind: 'writer', writer, appliedTo });
    // Who takes the input may take it from somebody, who is told by whichever process serves that one.
    if (took) this.sources.wakes.wake(`terminal:${exec.id}`);
  }

  private status(status: object): void {
    this.outbox.send(encodeStatus(status));
  }

  private refuse(error: unknown, more: object = {}): void {
    const { status, body } = problemOf(error, this.caller.requestId);
    if (status >= 500) this.log.error({ requestId: this.caller.requestId, err: error }, 'A terminal failed.');
    const { code, detail: message, type: _type, title: _title, status: _status, ...rest } = body;
    this.status({ kind: 'error', code, message, ...rest, ...more });
  }
}

function causeOf(error: unknown): CloseCause {
  if (error instanceof UnreadableMessageError || isDomainError(error, 'bad_request')) return 'badMessage';
  if (isDomainError(error, 'position_invalid')) return 'badMessage';
  if (isDomainError(error, 'unauthenticated')) return 'unauthenticated';
  if (isDomainError(error, 'not_found')) return 'notFound';
  if (isDomainError(error, 'invalid_state')) return 'invalidState';
  return isDomainError(error, 'rate_limited') ? 'tooManyMessages' : 'internal';
}
