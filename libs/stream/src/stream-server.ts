import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { DomainError, parseExecId, type HostServices, type Log } from '#domain';
import { committedOutputPath, sendCommittedOutput } from './committed-output.server.js';
import { contentPath, sendContent } from './file-routes.js';
import { refusalOf } from './refusal.js';
import { matchRoute } from './stream-routes.js';
import { isToken, streamToken, TOKEN_HEADER } from './token.js';

const REQUEST_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 60_000;

export interface StreamServerOptions {
  readonly address: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly adminSecret: string;
  readonly services: HostServices;
  readonly log: Log;
}

interface StreamAnswer {
  readonly status: number;
  readonly body?: object;
}

/** The private port of a host. Only Berth's API talks to it; every request carries the token. */
export class StreamServer {
  private constructor(
    private readonly server: Server,
    readonly address: string,
  ) {}

  static async listen(options: StreamServerOptions): Promise<StreamServer> {
    const token = streamToken(options.adminSecret);
    const server = createServer((request, response) => {
      answer(request, response, token, options.services)
        .catch((error: unknown) => failed(error, options.log))
        .then((outcome) => outcome && send(response, outcome))
        .catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined));
    });
    server.requestTimeout = REQUEST_TIMEOUT_MS;
    server.keepAliveTimeout = KEEP_ALIVE_MS;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(options.port, options.address, resolve);
    });
    const { port } = server.address() as AddressInfo;
    return new StreamServer(server, `${options.address}:${port}`);
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

/** Undefined where the response is a stream that goes on by itself. */
async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  token: string,
  services: HostServices,
): Promise<StreamAnswer | undefined> {
  if (!isToken(request.headers[TOKEN_HEADER], token)) return { status: 401 };
  const url = new URL(request.url ?? '/', 'http://host');
  const followed = parseExecId(committedOutputPath(request.method, url.pathname) ?? '');
  if (followed) {
    sendCommittedOutput(response, services, followed);
    return undefined;
  }
  const sandbox = contentPath(request.method, url.pathname);
  if (sandbox) {
    await sendContent(response, services, sandbox, url);
    return undefined;
  }
  const route = matchRoute(request.method ?? '', url.pathname);
  if (!route) return { status: 404 };
  const body = await bodyOf(request, route.bodyBytesMax);
  if (!body) return { status: 413 };
  const result = await route.answer(services, { url, body });
  return result === undefined ? { status: 204 } : { status: 200, body: result };
}

/** Undefined when it is too large. */
async function bodyOf(request: IncomingMessage, bytesMax: number): Promise<Buffer | undefined> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    length += piece.byteLength;
    if (length > bytesMax) return undefined;
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** Expected failures travel whole, because the API gives them on to its client. */
function failed(error: unknown, log: Log): StreamAnswer {
  if (error instanceof DomainError) {
    log.debug({ err: error }, 'A request to the stream port was refused.');
    return { status: error.code === 'bad_request' ? 400 : 409, body: refusalOf(error) };
  }
  log.warn({ err: error }, 'A request to the stream port failed.');
  return { status: 500 };
}

function send(response: ServerResponse, { status, body }: StreamAnswer): void {
  // A stream that failed on its way can only break off.
  if (response.headersSent) {
    response.destroy();
    return;
  }
  if (body === undefined) {
    response.writeHead(status).end();
    return;
  }
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}
