import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { DomainError } from '#domain';
import type { FastifyInstance, FastifyRequest } from 'fastify';

/** For a whole body to arrive; answers may take longer. */
const BODY_TIMEOUT_MS = 30_000;
/** How long content may make no way at all while somebody waits for it. */
const SILENCE_MS_MAX = 30_000;
/** What still comes after the answer is let pass this long, so that whoever sends it can read the answer. */
const REST_MS_MAX = 5_000;

const deadlines = new WeakMap<IncomingMessage, NodeJS.Timeout>();

/**
 * Bodies are read whole and within a deadline, but those of `streaming` routes are left to their readers. The server's own
 * deadline for requests cannot tell them apart, so it must be off.
 */
export function receiveBodies(
  fastify: FastifyInstance,
  streaming: (request: FastifyRequest) => boolean,
): void {
  fastify.addHook('onRequest', ({ raw }, reply, done) => {
    if (raw.headers['content-length'] !== undefined || raw.headers['transfer-encoding'] !== undefined) {
      deadlines.set(
        raw,
        setTimeout(() => !raw.complete && raw.socket.destroy(), BODY_TIMEOUT_MS),
      );
      reply.raw.once('close', () => clearTimeout(deadlines.get(raw)));
    }
    done();
  });
  fastify.addHook('onSend', (request, reply, _payload, done) => {
    if (streaming(request) && !request.raw.complete) {
      // Closed with bytes on their way, a connection takes its answer with it.
      reply.raw.shouldKeepAlive = true;
      letPass(request.raw);
    }
    done();
  });
  fastify.addHook('preParsing', (request, _reply, payload, done) => {
    if (!streaming(request)) return done(null, payload);
    // Nothing for the parser, which compares what it reads with the length that was announced.
    const receivedEncodedLength = Number(request.headers['content-length'] ?? 0);
    done(null, Object.assign(Readable.from([]), { receivedEncodedLength }));
  });
}

/** The body of a streaming route. It takes as long as it takes, as long as something comes. */
export const Content = createParamDecorator(
  (_data: unknown, context: ExecutionContext): AsyncIterable<Uint8Array> =>
    contentOf(context.switchToHttp().getRequest<FastifyRequest>().raw),
);

async function* contentOf(request: IncomingMessage): AsyncGenerator<Uint8Array> {
  clearTimeout(deadlines.get(request));
  const bytes = request.iterator({ destroyOnReturn: false }) as AsyncIterator<Uint8Array>;
  let silence: NodeJS.Timeout | undefined;
  try {
    for (;;) {
      silence = setTimeout(() => request.destroy(new Error('Nothing comes.')), SILENCE_MS_MAX);
      const next = await bytes.next();
      clearTimeout(silence);
      if (next.done === true) return;
      yield next.value;
    }
  } catch (error) {
    throw new DomainError('bad_request', 'The content was cut off.', { cause: error });
  } finally {
    clearTimeout(silence);
    void bytes.return?.();
  }
}

function letPass(request: IncomingMessage): void {
  const over = setTimeout(() => request.destroy(), REST_MS_MAX);
  request.once('close', () => clearTimeout(over));
  request.once('end', () => clearTimeout(over));
  request.resume();
}
