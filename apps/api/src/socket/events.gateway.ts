import type { IncomingMessage } from 'node:http';
import { Inject } from '@nestjs/common';
import { WebSocketGateway, type OnGatewayConnection } from '@nestjs/websockets';
import type { BulkStore, ExecStore, OperationStore, OutputSource, SandboxStore, WakeReceiver } from '#domain';
import type { Logger } from 'pino';
import type { WebSocket } from 'ws';
import { ExecReader } from '../output/exec-reader.js';
import {
  BULK_STORE,
  EXEC_STORE,
  LOGGER,
  OPERATION_STORE,
  OUTPUT_SOURCE,
  SANDBOX_STORE,
  WAKE_RECEIVER,
} from '../tokens.js';
import { SocketSession } from './socket-session.js';
import { SocketSessions } from './socket-sessions.js';
import type { TopicSources } from './subscription.js';

@WebSocketGateway({ path: '/v1/ws' })
export class EventsGateway implements OnGatewayConnection<WebSocket> {
  private readonly sources: TopicSources;

  constructor(
    @Inject(EXEC_STORE) execs: ExecStore,
    @Inject(OUTPUT_SOURCE) output: OutputSource,
    @Inject(SANDBOX_STORE) sandboxes: SandboxStore,
    @Inject(BULK_STORE) bulks: BulkStore,
    @Inject(OPERATION_STORE) operations: OperationStore,
    @Inject(WAKE_RECEIVER) receiver: WakeReceiver,
    @Inject(ExecReader) reader: ExecReader,
    @Inject(SocketSessions) private readonly sessions: SocketSessions,
    @Inject(LOGGER) private readonly log: Logger,
  ) {
    this.sources = { execs, output, sandboxes, operations, bulks, receiver, reader };
  }

  handleConnection(socket: WebSocket, request: IncomingMessage): void {
    const { sources, log } = this;
    this.sessions.begin(socket, request, (caller) => new SocketSession(socket, sources, caller, log));
  }
}
