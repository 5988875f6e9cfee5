import type { IncomingMessage } from 'node:http';
import { Inject } from '@nestjs/common';
import { WebSocketGateway, type OnGatewayConnection } from '@nestjs/websockets';
import type { ExecStore, HostLink, OutputSource, WakeReceiver, WakeSender } from '#domain';
import type { Logger } from 'pino';
import type { WebSocket } from 'ws';
import { ExecReader } from '../output/exec-reader.js';
import { CLOSE } from '../socket/socket-limits.js';
import { SocketSessions } from '../socket/socket-sessions.js';
import { EXEC_STORE, HOST_LINK, LOGGER, OUTPUT_SOURCE, WAKE_RECEIVER, WAKE_SENDER } from '../tokens.js';
import { placeOf, TERMINAL_PATH, type TerminalPlace } from './terminal-place.js';
import { TerminalSession, type TerminalSources } from './terminal-session.js';

@WebSocketGateway({ path: TERMINAL_PATH })
export class TerminalGateway implements OnGatewayConnection<WebSocket> {
  private readonly sources: TerminalSources;

  constructor(
    @Inject(EXEC_STORE) execs: ExecStore,
    @Inject(OUTPUT_SOURCE) output: OutputSource,
    @Inject(HOST_LINK) hosts: HostLink,
    @Inject(WAKE_SENDER) wakes: WakeSender,
    @Inject(WAKE_RECEIVER) receiver: WakeReceiver,
    @Inject(ExecReader) reader: ExecReader,
    @Inject(SocketSessions) private readonly sessions: SocketSessions,
    @Inject(LOGGER) private readonly log: Logger,
  ) {
    this.sources = { execs, output, hosts, wakes, receiver, reader };
  }

  handleConnection(socket: WebSocket, request: IncomingMessage): void {
    const place = this.placeOrClose(socket, request);
    if (!place) return;
    const { sources, log } = this;
    this.sessions.begin(
      socket,
      request,
      (caller) => new TerminalSession(socket, sources, caller, log, place),
    );
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
