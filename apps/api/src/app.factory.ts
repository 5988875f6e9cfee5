import type { Socket } from 'node:net';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { DomainError, limits } from '#domain';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { AdminSecret } from './auth/admin-secret.js';
import { FailedAuthentications } from './auth/failed-authentications.js';
import { ApiModule, CONTROLLERS } from './app.module.js';
import { problemOf } from './http/problem.js';
import { ProblemFilter } from './http/problem.filter.js';
import { receiveBodies } from './http/request-content.js';
import { REQUEST_ID_HEADER, requestIdOf } from './http/request-id.js';
import { RouteTable } from './http/route-table.js';
import { FrameworkLog } from './log.js';
import { RateLimits } from './rate/rate-limits.js';
import { SocketAdapter } from './socket/socket.adapter.js';
import type { ApiConfig, ApiPorts } from './tokens.js';

const HEADER_BYTES_MAX = 16 * 1_024;
const PATH_PARAMETER_LENGTH_MAX = 256;
const HEADERS_TIMEOUT_MS = 10_000;
/** How often the server looks for connections that are too slow. */
const CONNECTIONS_CHECK_MS = 5_000;
const KEEP_ALIVE_MS = 65_000;

/** Data only, for programs: nothing here is ever to be cached, framed, sniffed or sent on as a referrer. */
const SECURITY_HEADERS = {
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
} as const;

const pathsWithBody = (body: 'bytes' | 'content'): ReadonlySet<string> =>
  new Set(
    RouteTable.of(CONTROLLERS)
      .routes.filter(({ description }) => description.body === body)
      .map(({ path }) => path),
  );
const BYTES_PATHS = pathsWithBody('bytes');
const CONTENT_PATHS = pathsWithBody('content');

/** The whole HTTP side, on whatever ports it is given. It does not listen yet. */
export async function createApp(
  ports: ApiPorts,
  config: ApiConfig,
  log: Logger,
  close: () => Promise<void> = () => Promise.resolve(),
): Promise<NestFastifyApplication> {
  const problems = new ProblemFilter(log, RouteTable.of(CONTROLLERS));
  const adapter = new FastifyAdapter({
    bodyLimit: limits.REQUEST_BODY_BYTES_MAX,
    requestTimeout: 0,
    keepAliveTimeout: KEEP_ALIVE_MS,
    http: {
      maxHeaderSize: HEADER_BYTES_MAX,
      headersTimeout: HEADERS_TIMEOUT_MS,
      connectionsCheckingInterval: CONNECTIONS_CHECK_MS,
    },
    routerOptions: { maxParamLength: PATH_PARAMETER_LENGTH_MAX, caseSensitive: true },
    genReqId: requestIdOf,
    requestIdHeader: false,
    return503OnClosing: false,
    logger: false,
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) =>
      problems.answer(error, request, reply),
    clientErrorHandler: answerUnreadable,
  });
  prepare(adapter.getInstance(), log);
  const app = await NestFactory.create<NestFastifyApplication>(
    ApiModule.of(ports, config, log, close),
    adapter,
    {
      bodyParser: false,
      logger: new FrameworkLog(log),
      abortOnError: false,
    },
  );
  app.useWebSocketAdapter(
    new SocketAdapter(
      app.getHttpServer(),
      app.get(AdminSecret),
      app.get(FailedAuthentications),
      app.get(RateLimits),
    ),
  );
  return app;
}

function prepare(fastify: FastifyInstance, log: Logger): void {
  fastify.removeAllContentTypeParsers();
  // The body is parsed by the schema pipe, after the guard: a stranger's bytes are never looked at.
  fastify.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => {
    done(null, body);
  });
  fastify.addContentTypeParser('*', { parseAs: 'buffer' }, (request, body, done) => {
    if (takesBytes(request)) done(null, body);
    else done(new DomainError('unsupported_media_type', 'Send the body as application/json.'));
  });
  fastify.addHook('onRoute', (route) => {
    if (route.method === 'PUT' && CONTENT_PATHS.has(route.url)) route.bodyLimit = limits.FILE_BYTES_MAX;
  });
  receiveBodies(fastify, (request) => isPutOn(CONTENT_PATHS, request));
  fastify.addHook('onRequest', (request, reply, done) => {
    void reply.headers({ ...SECURITY_HEADERS, [REQUEST_ID_HEADER]: request.id });
    done();
  });
  fastify.addHook('onResponse', (request, reply, done) => {
    logRequest(log, request, reply);
    done();
  });
}

/** Input and files are bytes, whatever a client calls them. */
function takesBytes(request: FastifyRequest): boolean {
  return isPutOn(BYTES_PATHS, request) || isPutOn(CONTENT_PATHS, request);
}

const isPutOn = (paths: ReadonlySet<string>, { method, routeOptions }: FastifyRequest): boolean =>
  method === 'PUT' && paths.has(routeOptions.url ?? '');

/** The route pattern, not the address: an address may hold what belongs to a user. */
function logRequest(log: Logger, request: FastifyRequest, reply: FastifyReply): void {
  const fields = {
    requestId: request.id,
    method: request.method,
    route: request.routeOptions.url ?? null,
    status: reply.statusCode,
    ms: Math.round(reply.elapsedTime * 10) / 10,
    tenant: request.principal?.tenantId ?? null,
  };
  if (request.routeOptions.url?.startsWith('/health')) log.debug(fields, 'request');
  else log.info(fields, 'request');
}

/** What is not HTTP at all, or has headers beyond the limit, never reaches a route. */
function answerUnreadable(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const unreadable = new DomainError('bad_request', 'The request could not be read.');
  const body = JSON.stringify(problemOf(unreadable, requestIdOf({ headers: {} })).body);
  socket.end(
    'HTTP/1.1 400 Bad Request\r\nContent-Type: application/problem+json; charset=utf-8\r\n' +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
