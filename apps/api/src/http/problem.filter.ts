import { Catch, HttpException, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { DomainError, limits, type ErrorCode } from '#domain';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { problemOf } from './problem.js';
import type { RouteTable } from './route-table.js';

/** The one place where an error becomes an answer. It never shows what went wrong inside; the log does. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(
    private readonly log: Logger,
    private readonly routes: RouteTable,
  ) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    this.answer(error, http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>());
  }

  answer(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
    const translated = this.translate(error, request, reply);
    const { status, headers, body } = problemOf(translated, request.id);
    if (status >= 500) {
      const detail = translated instanceof DomainError ? translated.detail : undefined;
      this.log.error({ requestId: request.id, code: body.code, detail, err: error }, 'A request failed.');
    }
    // Once the head of a streamed answer has gone out, a cut connection is the only honest sign of a failure.
    if (reply.sent || reply.raw.headersSent) reply.raw.destroy();
    else void reply.status(status).headers(headers).send(JSON.stringify(body));
  }

  private translate(error: unknown, request: FastifyRequest, reply: FastifyReply): unknown {
    if (error instanceof DomainError) return error;
    const status = statusOf(error);
    if (status === 404) return this.notFound(request, reply);
    const code = status === undefined ? undefined : CODE_BY_FRAMEWORK_STATUS[status];
    return code === undefined ? error : new DomainError(code, MESSAGE_BY_CODE[code] ?? 'Bad request.');
  }

  private notFound(request: FastifyRequest, reply: FastifyReply): DomainError {
    const methods = this.routes.methodsFor(request.url);
    if (methods.length === 0) return new DomainError('not_found', 'There is nothing at this address.');
    void reply.header('allow', methods.join(', '));
    return new DomainError('method_not_allowed', `This address answers ${methods.join(', ')} only.`);
  }
}

/** Statuses with which the framework refuses a request before our code sees it. */
const CODE_BY_FRAMEWORK_STATUS: Readonly<Partial<Record<number, ErrorCode>>> = {
  400: 'bad_request',
  408: 'bad_request',
  413: 'payload_too_large',
  414: 'bad_request',
  415: 'unsupported_media_type',
};

const MESSAGE_BY_CODE: Readonly<Partial<Record<ErrorCode, string>>> = {
  bad_request: 'The request could not be read.',
  payload_too_large: `A request may hold at most ${limits.REQUEST_BODY_BYTES_MAX} bytes.`,
  unsupported_media_type: 'Send the body as application/json.',
};

function statusOf(error: unknown): number | undefined {
  if (error instanceof HttpException) return error.getStatus();
  if (error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number') {
    return error.statusCode;
  }
  return undefined;
}
