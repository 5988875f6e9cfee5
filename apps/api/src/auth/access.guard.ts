import { Inject, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { ACCESS, type Access, type Principal } from './access.js';
import { ADMIN_SECRET_HEADER, AdminSecret } from './admin-secret.js';
import { FailedAuthentications } from './failed-authentications.js';

declare module 'fastify' {
  interface FastifyRequest {
    principal?: Principal;
  }
}

/** Runs before every handler and before any input is looked at. */
@Injectable()
export class AccessGuard implements CanActivate {
  constructor(
    @Inject(AdminSecret) private readonly adminSecret: AdminSecret,
    @Inject(FailedAuthentications) private readonly failures: FailedAuthentications,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const access = Reflect.getMetadata(ACCESS, context.getHandler()) as Access | undefined;
    if (access === 'anonymous') return true;
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const secret = request.headers[ADMIN_SECRET_HEADER];
    request.principal = await this.failures.guarded(request.ip, secret, () =>
      this.adminSecret.authenticate(secret),
    );
    return true;
  }
}
