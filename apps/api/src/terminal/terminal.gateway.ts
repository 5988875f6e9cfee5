import type { IncomingMessage } from 'node:http';
import { Inject, type OnModuleDestroy } from '@nestjs/common';
import { WebSocketGateway, type OnGatewayConnection } from '@nestjs/websockets';
import type { ExecStore, HostLink, WakeReceiver, WakeSender } from '#domain';
import type { Logger } from 'pino';
import type { WebSocket } from 'ws';
import type { Principal } from '../auth/access.js';
import { ADMIN_SECRET_HEADER, AdminSecret } from '../auth/admin-secret.js';
import { FailedAuthentications } from '../auth/failed-authentications.js';
import { requestIdOf } from '../http/request-id.js';
import { ExecReader } from '../output/exec-reader.js';
import { CLOSE } from '../socket/socket-limits.js';
import { addressOf } from '../socket/socket.adapter.js';
import { EXEC_STORE, HOST_LINK, LOGGER, WAKE_RECEIVER, WAKE_SENDER } from '../tokens.js';
import { placeOf, TERMINAL_PATH, type TerminalPlace } from './terminal-place.js';
import { TerminalSession, type TerminalSources } from './terminal-session.js';

@WebSocketGateway({ path: TERMINAL_PATH })
export class TerminalGateway implements OnGatewayConnection<WebSocket>, OnModuleDestroy {
  private readonly sessions = new Set<TerminalSession>();
  private readonly sources: TerminalSources;
  private draining = false;

  constructor(
    @Inject(EXEC_STORE) execs: ExecStore,
    @Inject(HOST_LINK) hosts: HostLink,
    @Inject(WAKE_SENDER) wakes: WakeSender,
    @Inject(WAKE_RECEIVER) receiver: WakeReceiver,
    @Inject(ExecReader) reader: ExecReader,
    @Inject(AdminSecret) private readonly adminSecret: AdminSecret,
    @Inject(FailedAuthentications) private readonly failures: FailedAuthentications,
    @Inject(LOGGER) private readonly log: Logger,
  ) {
    this.sources = { execs, hosts, wakes, receiver, reader };
  }

  handleConnection(socket: WebSocket, request: IncomingMessage): void {
    const place = this.placeOrClose(socket, request);
    if (!place) return;
    const secret = request.headers[ADMIN_SECRET_HEADER];
    const principal = secret === undefined ? undefined : this.adminSecret.authenticate(secret);
    const requestId = requestIdOf(request);
    const address = addressOf(request);
    const authenticate = async (given: string): Promise<Principal> =>
      await this.failures.guarded(address, given, () => this.adminSecret.authenticate(given));
    const { sources, log } = this;
    const session = new TerminalSession(socket, sources, authenticate, log, requestId, place, principal);
    this.sessions.add(session);
    socket.once('close', (code) => {
      this.sessions.delete(session);
      this.log.info({ requestId, code }, 'A terminal socket closed.');
    });
    if (this.draining) session.close('draining');
  }

  /** Clients come again with their positions and lose nothing. */
  onModuleDestroy(): void {
    this.draining = true;
    for (const session of this.sessions) session.close('draining');
  }

  private placeOrClose(socket: WebSocket, request: IncomingMessage): TerminalPlace | undefined {
    try {
      return placeOf(request);
    } catch (error) {
      this.log.debug({ err: error }, 'A terminal was asked for wrongly.');
      socket.close(CLOSE.badMessage.code, CLOSE.badMessage.reason);
      return undefined;
    }
  }
}
