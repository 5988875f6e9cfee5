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
  private listener: ((request: IncomingMessage, socket: Duplex, head: Buffer) => void) | undefined;

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
    this.listener = (request, socket, head) => {
      socket.on('error', () => socket.destroy());
      this.admit(request, path ?? '/', server).then(
        () =>
          server.handleUpgrade(request, socket, head, (client) => server.emit('connection', client, request)),
        (error: unknown) => refuse(request, socket, error),
      );
    };
    this.http.on('upgrade', this.listener);
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
    if (this.listener) this.http.off('upgrade', this.listener);
    await Promise.resolve();
  }

  private async admit(request: IncomingMessage, path: string, server: WebSocketServer): Promise<void> {
    if ((request.url ?? '').split('?', 1)[0] !== path) {
      throw new DomainError('not_found', 'There is no WebSocket at this address.');
    }
    refuseForeignOrigin(request);
    const address = addressOf(request);
    await this.limits.consume('read', `address ${address} GET ${path}`);
    const secret = request.headers[ADMIN_SECRET_HEADER];
    if (secret !== undefined) {
      await this.failures.guarded(address, secret, () => this.adminSecret.authenticate(secret));
    }
    if (server.clients.size >= SOCKETS_MAX) {
      throw new DomainError('rate_limited', 'Too many sockets are open.', { retryAfterSeconds: 5 });
    }
  }
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
