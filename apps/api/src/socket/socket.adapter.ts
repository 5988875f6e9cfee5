import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { AbstractWsAdapter } from '@nestjs/websockets';
import { DomainError, isDomainError } from '#domain';
import { WebSocketServer } from 'ws';
import { ADMIN_SECRET_HEADER, type AdminSecret } from '../auth/admin-secret.js';
import type { FailedAuthentications } from '../auth/failed-authentications.js';
import { problemOf } from '../http/problem.js';
import { requestIdOf } from '../http/request-id.js';
import type { RateLimits } from '../rate/rate-limits.js';
import { CLOSE_TIMEOUT_MS, MESSAGE_BYTES_MAX, SOCKETS_MAX } from './socket-limits.js';

/**
 * Gateways on `ws`, on the port of the API. The framework's own adapter drops bad frames in silence and ends sockets
 * with 1006; here the refusal of an upgrade is a problem document, and messages and close codes belong to the session.
 */
export class SocketAdapter extends AbstractWsAdapter {
  private readonly places: Place[] = [];
  private readonly listener = (request: IncomingMessage, socket: Duplex, head: Buffer): void =>
    void this.upgrade(request, socket, head);

  constructor(
    private readonly http: Server,
    private readonly adminSecret: AdminSecret,
    private readonly failures: FailedAuthentications,
    private readonly limits: RateLimits,
  ) {
    super(http);
  }

  create(_port: number, { path }: { path?: string } = {}): WebSocketServer {
    const server = new WebSocketServer({
      noServer: true,
      maxPayload: MESSAGE_BYTES_MAX,
      perMessageDeflate: false,
      clientTracking: true,
    });
    if (this.places.length === 0) this.http.on('upgrade', this.listener);
    this.places.push({ pattern: patternOf(path ?? '/'), server });
    return server;
  }

  /** The session reads its own messages, in their order. */
  bindMessageHandlers(): void {}

  /** Every session has been told to close before this; who does not answer is cut. */
  override async close(server: WebSocketServer): Promise<void> {
    const late = setTimeout(() => {
      for (const client of server.clients) client.terminate();
    }, CLOSE_TIMEOUT_MS);
    await new Promise<void>((resolve) => server.close(() => resolve()));
    clearTimeout(late);
  }

  override async dispose(): Promise<void> {
    this.http.off('upgrade', this.listener);
    await Promise.resolve();
  }

  private async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => socket.destroy());
    try {
      const server = this.serverFor(request);
      await this.admit(request);
      // In one turn with the upgrade, so that many at once come to the limit and not beyond it.
      this.refuseTooMany();
      server.handleUpgrade(request, socket, head, (client) => server.emit('connection', client, request));
    } catch (error) {
      refuse(request, socket, error);
    }
  }

  private serverFor(request: IncomingMessage): WebSocketServer {
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    const place = this.places.find(({ pattern }) => pattern.test(path));
    if (!place) throw new DomainError('not_found', 'There is no WebSocket at this address.');
    return place.server;
  }

  private async admit(request: IncomingMessage): Promise<void> {
    refuseForeignOrigin(request);
    const address = addressOf(request);
    await this.limits.consume('read', `address ${address} WebSocket`);
    const secret = request.headers[ADMIN_SECRET_HEADER];
    if (secret !== undefined) {
      await this.failures.guarded(address, secret, () => this.adminSecret.authenticate(secret));
    }
  }

  private refuseTooMany(): void {
    const open = this.places.reduce((sum, { server }) => sum + server.clients.size, 0);
    if (open >= SOCKETS_MAX) {
      throw new DomainError('rate_limited', 'Too many sockets are open.', { retryAfterSeconds: 5 });
    }
  }
}

interface Place {
  readonly pattern: RegExp;
  readonly server: WebSocketServer;
}

/** `:name` in the path of a gateway stands for one segment. */
function patternOf(path: string): RegExp {
  return new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/:[A-Za-z]+/g, '[^/]+')}$`);
}

export const addressOf = (request: IncomingMessage): string => request.socket.remoteAddress ?? '';

/** A page of another site may open a socket here with whatever the browser adds; programs send no Origin. */
function refuseForeignOrigin(request: IncomingMessage): void {
  const { origin, host } = request.headers;
  if (origin === undefined) return;
  if (URL.canParse(origin) && new URL(origin).host === host) return;
  throw new DomainError('forbidden', 'A page of another origin may not open this WebSocket.');
}

function refuse(request: IncomingMessage, socket: Duplex, error: unknown): void {
  const requestId = requestIdOf(request);
  const { status, headers, body } = problemOf(error, requestId);
  const text = JSON.stringify(body);
  const lines = Object.entries({
    ...headers,
    'x-request-id': requestId,
    'content-length': String(Buffer.byteLength(text)),
    connection: 'close',
  }).map(([name, value]) => `${name}: ${value}`);
  const title = isDomainError(error) ? String(body['title']) : 'Internal error';
  socket.end(`HTTP/1.1 ${status} ${title}\r\n${lines.join('\r\n')}\r\n\r\n${text}`);
}
