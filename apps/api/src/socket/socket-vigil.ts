import type { WebSocket } from 'ws';
import type { Outbox } from './outbox.js';
import {
  AUTHENTICATION_MS_MAX,
  MESSAGE_WINDOW_MS,
  MESSAGES_PER_WINDOW_MAX,
  PING_EVERY_MS,
  type CloseCause,
} from './socket-limits.js';

/** Watches that the other end says who it is, is alive, and does not send more than it may. */
export class SocketVigil {
  private heard = true;
  private progressSeen = 0;
  private windowStart = performance.now();
  private messagesInWindow = 0;
  private authentication: NodeJS.Timeout | undefined;
  private readonly heartbeat: NodeJS.Timeout;

  constructor(
    private readonly socket: WebSocket,
    private readonly outbox: Outbox,
    private readonly end: (cause: CloseCause) => void,
  ) {
    socket.on('pong', () => (this.heard = true));
    // The library answers them by itself; each costs as much as a message.
    socket.on('ping', () => {
      if (!this.admits()) this.end('tooManyMessages');
    });
    this.heartbeat = setInterval(() => this.beat(), PING_EVERY_MS);
  }

  awaitAuthentication(): void {
    this.authentication = setTimeout(() => this.end('unauthenticated'), AUTHENTICATION_MS_MAX);
  }

  authenticated(): void {
    clearTimeout(this.authentication);
  }

  /** Counts a message; false when it is one too many. */
  admits(): boolean {
    this.heard = true;
    const now = performance.now();
    if (now - this.windowStart > MESSAGE_WINDOW_MS) {
      this.windowStart = now;
      this.messagesInWindow = 0;
    }
    this.messagesInWindow += 1;
    return this.messagesInWindow <= MESSAGES_PER_WINDOW_MAX;
  }

  stop(): void {
    clearInterval(this.heartbeat);
    clearTimeout(this.authentication);
  }

  /** A slow reader cannot answer a ping that waits behind its output, but the output moves. */
  private beat(): void {
    const moved = this.outbox.progress !== this.progressSeen;
    if (!this.heard && !moved) return this.end('silent');
    this.heard = false;
    this.progressSeen = this.outbox.progress;
    this.socket.ping();
  }
}
