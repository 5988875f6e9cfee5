import { DomainError, isDomainError } from '#domain';
import type { Logger } from 'pino';
import type { RawData, WebSocket } from 'ws';
import type { Principal } from '../auth/access.js';
import { problemOf } from '../http/problem.js';
import {
  InvalidMessageError,
  parseClientMessage,
  UnreadableMessageError,
  type ClientMessage,
  type SubscribeMessage,
} from './client-message.js';
import { openExecTopic } from './exec-topic.js';
import { Outbox } from './outbox.js';
import { openBulkTopic, openOperationTopic, openSandboxTopic } from './row-topic.js';
import type { Caller } from './socket-sessions.js';
import { SocketVigil } from './socket-vigil.js';
import { CLOSE, CLOSE_TIMEOUT_MS, SUBSCRIPTIONS_MAX, type CloseCause } from './socket-limits.js';
import type { OpenTopic, Subscription, TopicSources } from './subscription.js';

const TOPICS: Readonly<Record<string, OpenTopic>> = {
  exec: openExecTopic,
  sandbox: openSandboxTopic,
  operation: openOperationTopic,
  bulk: openBulkTopic,
};

/** One socket: who is at the other end, what it has subscribed to, and what it may still do. */
export class SocketSession {
  private readonly outbox: Outbox;
  private readonly vigil: SocketVigil;
  private readonly subscriptions = new Map<string, AbortController>();
  private subscriptionsOpened = 0;
  private principal: Principal | undefined;
  /** Messages are dealt with one after the other; the socket is not read meanwhile. */
  private working: Promise<void> = Promise.resolve();

  constructor(
    private readonly socket: WebSocket,
    private readonly sources: TopicSources,
    private readonly caller: Caller,
    private readonly log: Logger,
  ) {
    const { principal, requestId } = caller;
    this.principal = principal;
    this.outbox = new Outbox(socket);
    this.vigil = new SocketVigil(socket, this.outbox, (cause) => this.close(cause));
    socket.on('message', (data, isBinary) => this.receive(data, isBinary));
    socket.on('error', (error) => this.log.debug({ requestId, err: error }, 'A socket failed.'));
    socket.once('close', () => this.endAll());
    if (principal) this.welcome(principal);
    else this.vigil.awaitAuthentication();
  }

  close(cause: CloseCause): void {
    this.endAll();
    const { code, reason } = CLOSE[cause];
    this.socket.close(code, reason);
    setTimeout(() => this.socket.terminate(), CLOSE_TIMEOUT_MS).unref();
  }

  private receive(data: RawData, isBinary: boolean): void {
    if (!this.vigil.admits()) return this.close('tooManyMessages');
    this.socket.pause();
    const bytes = Array.isArray(data) ? Buffer.concat(data) : new Uint8Array(data);
    this.working = this.working
      .then(() => this.handle(bytes, isBinary))
      .then(() => this.outbox.room())
      .then(() => this.socket.resume())
      .catch((error: unknown) => {
        this.log.error(
          { requestId: this.caller.requestId, err: error },
          'A message could not be dealt with.',
        );
        this.close('internal');
      });
  }

  private async handle(bytes: Uint8Array, isBinary: boolean): Promise<void> {
    if (this.socket.readyState !== this.socket.OPEN) return;
    try {
      await this.obey(parseClientMessage(bytes, isBinary));
    } catch (error) {
      this.refuse(error instanceof InvalidMessageError ? error.id : null, error);
      if (error instanceof UnreadableMessageError) this.close('badMessage');
      if (this.principal === undefined && isRefusal(error)) this.close('unauthenticated');
    }
  }

  private async obey(message: ClientMessage): Promise<void> {
    if (message.t === 'auth') return this.welcome(await this.caller.authenticate(message.adminSecret));
    const { principal } = this;
    if (!principal) throw new DomainError('unauthenticated', 'Send `auth` first.');
    switch (message.t) {
      case 'ping':
        return this.outbox.send({ t: 'pong' });
      case 'unsub':
        return this.unsubscribe(message.id);
      case 'sub':
        return await this.subscribe(message, principal);
    }
  }

  private welcome(principal: Principal): void {
    this.principal = principal;
    this.vigil.authenticated();
    this.outbox.send({ t: 'hello', protocol: 1, requestId: this.caller.requestId });
  }

  private async subscribe(request: SubscribeMessage, principal: Principal): Promise<void> {
    const controller = new AbortController();
    try {
      this.refuseOneTooMany(request.id);
      this.subscriptions.set(request.id, controller);
      const [kind = '', topicId = ''] = request.topic.split(':');
      const subscription: Subscription = {
        request,
        topicId,
        tenantId: principal.tenantId,
        number: (this.subscriptionsOpened += 1),
        outbox: this.outbox,
        signal: controller.signal,
        onOutage: (error) => this.refuse(request.id, error, { retrying: true }),
      };
      const topic = await TOPICS[kind]?.(this.sources, subscription);
      if (!topic) throw new TypeError(`No topic ${kind}`);
      const { id } = request;
      this.outbox.send({
        t: 'ack',
        id,
        of: 'sub',
        subscription: subscription.number,
        topic: request.topic,
        ...topic.ack,
      });
      void topic.run().then(
        () => this.finished(id, controller),
        (error: unknown) => this.failed(id, controller, error),
      );
    } catch (error) {
      this.finished(request.id, controller);
      this.refuse(request.id, error);
    }
  }

  private refuseOneTooMany(id: string): void {
    if (this.subscriptions.has(id)) {
      throw new DomainError('bad_request', 'This id has a subscription on this socket.', { pointer: '/id' });
    }
    if (this.subscriptions.size >= SUBSCRIPTIONS_MAX) {
      throw new DomainError('rate_limited', `A socket has at most ${SUBSCRIPTIONS_MAX} subscriptions.`);
    }
  }

  private unsubscribe(id: string): void {
    this.subscriptions.get(id)?.abort();
    this.subscriptions.delete(id);
    this.outbox.send({ t: 'ack', id, of: 'unsub' });
  }

  private failed(id: string, controller: AbortController, error: unknown): void {
    this.finished(id, controller);
    if (!controller.signal.aborted) this.refuse(id, error);
  }

  /** Only its own entry: the id may have been given to a new subscription meanwhile. */
  private finished(id: string, controller: AbortController): void {
    if (this.subscriptions.get(id) === controller) this.subscriptions.delete(id);
  }

  private refuse(id: string | null, error: unknown, more: object = {}): void {
    const { status, body } = problemOf(error, this.caller.requestId);
    if (status >= 500)
      this.log.error({ requestId: this.caller.requestId, err: error }, 'A subscription failed.');
    const { code, detail: message, type: _type, title: _title, status: _status, ...rest } = body;
    this.outbox.send({ t: 'err', id, code, message, ...rest, ...more });
  }

  private endAll(): void {
    this.vigil.stop();
    for (const controller of this.subscriptions.values()) controller.abort();
    this.subscriptions.clear();
  }
}

/** It did not say who it is, or may not even try for now. */
const isRefusal = (error: unknown): boolean =>
  isDomainError(error, 'unauthenticated') || isDomainError(error, 'rate_limited');
