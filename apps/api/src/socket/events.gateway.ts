import type { IncomingMessage } from 'node:http';
import { Inject, type OnModuleDestroy } from '@nestjs/common';
import { WebSocketGateway, type OnGatewayConnection } from '@nestjs/websockets';
import type { ExecStore, OperationStore, SandboxStore, WakeReceiver } from '#domain';
import type { Logger } from 'pino';
import type { WebSocket } from 'ws';
import type { Principal } from '../auth/access.js';
import { ADMIN_SECRET_HEADER, AdminSecret } from '../auth/admin-secret.js';
import { FailedAuthentications } from '../auth/failed-authentications.js';
import { requestIdOf } from '../http/request-id.js';
import { ExecReader } from '../output/exec-reader.js';
import { EXEC_STORE, LOGGER, OPERATION_STORE, SANDBOX_STORE, WAKE_RECEIVER } from '../tokens.js';
import { SocketSession } from './socket-session.js';
import { addressOf } from './socket.adapter.js';
import type { TopicSources } from './subscription.js';

@WebSocketGateway({ path: '/v1/ws' })
export class EventsGateway implements OnGatewayConnection<WebSocket>, OnModuleDestroy {
  private readonly sessions = new Set<SocketSession>();
  private readonly sources: TopicSources;
  private draining = false;

  constructor(
    @Inject(EXEC_STORE) execs: ExecStore,
    @Inject(SANDBOX_STORE) sandboxes: SandboxStore,
    @Inject(OPERATION_STORE) operations: OperationStore,
    @Inject(WAKE_RECEIVER) receiver: WakeReceiver,
    @Inject(ExecReader) reader: ExecReader,
    @Inject(AdminSecret) private readonly adminSecret: AdminSecret,
    @Inject(FailedAuthentications) private readonly failures: FailedAuthentications,
    @Inject(LOGGER) private readonly log: Logger,
  ) {
    this.sources = { execs, sandboxes, operations, receiver, reader };
  }

  handleConnection(socket: WebSocket, request: IncomingMessage): void {
    const secret = request.headers[ADMIN_SECRET_HEADER];
    const principal = secret === undefined ? undefined : this.adminSecret.authenticate(secret);
    const requestId = requestIdOf(request);
    const address = addressOf(request);
    const authenticate = async (given: string): Promise<Principal> =>
      await this.failures.guarded(address, given, () => this.adminSecret.authenticate(given));
    const session = new SocketSession(socket, this.sources, authenticate, this.log, requestId, principal);
    this.sessions.add(session);
    socket.once('close', (code) => {
      this.sessions.delete(session);
      this.log.info({ requestId, code }, 'A socket closed.');
    });
    if (this.draining) session.close('draining');
  }

  /** Clients come again with their positions and lose nothing. */
  onModuleDestroy(): void {
    this.draining = true;
    for (const session of this.sessions) session.close('draining');
  }
}
