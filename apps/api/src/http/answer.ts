import { Readable } from 'node:stream';
import {
  Injectable,
  StreamableFile,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { map, type Observable } from 'rxjs';

/** An answer whose status or headers depend on what happened. Plain values are 200. */
export class Answer<Body> {
  constructor(
    readonly status: number,
    readonly body: Body,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {}
}

export const accepted = <Body>(body: Body, headers: Record<string, string> = {}): Answer<Body> =>
  new Answer(202, body, headers);

@Injectable()
export class AnswerInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const reply = context.switchToHttp().getResponse<FastifyReply>();
    return next.handle().pipe(
      map((value: unknown) => {
        if (!(value instanceof Answer)) {
          void reply.status(200);
          return value;
        }
        void reply.status(value.status).headers({ ...value.headers });
        return value.body instanceof Readable ? streamed(value.body, reply) : value.body;
      }),
    );
  }
}

/** A stream without a known end may be silent for hours; its reader should know at once that it is there. */
function streamed(body: Readable, reply: FastifyReply): StreamableFile {
  if (!reply.hasHeader('content-length')) {
    body.once('resume', () => {
      if (!reply.raw.headersSent) reply.raw.flushHeaders();
    });
  }
  return new StreamableFile(body);
}
