import type { IncomingMessage } from 'node:http';
import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import type { Logger } from 'pino';
import type { WebSocket } from 'ws';
import type { Principal } from '../auth/access.js';
import { ADMIN_SECRET_HEADER, AdminSecret } from '../auth/admin-secret.js';
import { FailedAuthentications } from '../auth/failed-authentications.js';
import { requestIdOf } from '../http/request-id.js';
import { LOGGER } from '../tokens.js';
import type { CloseCause } from './socket-limits.js';
import { addressOf } from './socket.adapter.js';

/** Who is at the other end of a socket. */
export interface Caller {
  readonly requestId: string;
  /** Undefined until a message says it, where the upgrade did not. */
  readonly principal: Principal | undefined;
  /** Throws `unauthenticated`, or `rate_limited` where it was guessed too often. */
  readonly authenticate: (secret: string) => Promise<Principal>;
}

interface Session {
  close(cause: CloseCause): void;
}

/** The sessions of all gateways, from the upgrade to the end of this process. */
@Injectable()
export class SocketSessions implements OnModuleDestroy {
  private readonly open = new Set<Session>();
  private isDraining = false;

  constructor(
    @Inject(AdminSecret) private readonly adminSecret: AdminSecret,
    @Inject(FailedAuthentications) private readonly failures: FailedAuthentications,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  /** The upgrade has refused a wrong secret already. */
  begin(socket: WebSocket, request: IncomingMessage, sessionOf: (caller: Caller) => Session): void {
    const caller = this.callerOf(request);
    const session = sessionOf(caller);
    this.open.add(session);
    socket.once('close', (code) => {
      this.open.delete(session);
      this.log.info({ requestId: caller.requestId, code }, 'A socket closed.');
    });
    if (this.isDraining) session.close('draining');
  }

  /** Clients come again with their positions and lose nothing. */
  onModuleDestroy(): void {
    this.isDraining = true;
    for (const session of this.open) session.close('draining');
  }

  private callerOf(request: IncomingMessage): Caller {
    const secret = request.headers[ADMIN_SECRET_HEADER];
    const address = addressOf(request);
    return {
      requestId: requestIdOf(request),
      principal: secret === undefined ? undefined : this.adminSecret.authenticate(secret),
      authenticate: async (given) =>
        await this.failures.guarded(address, given, () => this.adminSecret.authenticate(given)),
    };
  }
}
