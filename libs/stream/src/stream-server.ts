import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { DomainError, parseExecId, type HostServices, type Log } from '#domain';
import { committedOutputPath, sendCommittedOutput } from './committed-output.server.js';
import { contentPath, sendContent } from './file-routes.js';
import { refusalOf } from './refusal.js';
import { matchRoute } from './stream-routes.js';
import { isToken, streamToken, TOKEN_HEADER } from './token.js';

const HEADERS_TIMEOUT_MS = 10_000;
/** Longer than the API waits for its own client. */
const SILENCE_MS_MAX = 60_000;
const REST_MS_MAX = 5_000;
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
        .then((outcome) => outcome && send(request, response, outcome))
        .catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined));
    });
    server.headersTimeout = HEADERS_TIMEOUT_MS;
    // Content may take hours, as long as something comes.
    server.requestTimeout = 0;
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
  const content = contentOf(request);
  const body = route.bodyBytesMax === null ? Buffer.alloc(0) : await bodyOf(content, route.bodyBytesMax);
  if (!body) return { status: 413 };
  const result = await route.answer(services, { url, body, content });
  return result === undefined ? { status: 204 } : { status: 200, body: result };
}

/** Bytes as they come, at least some within each time limit. Whoever stops reading may still answer. */
async function* contentOf(request: IncomingMessage): AsyncGenerator<Uint8Array> {
  const silence = setTimeout(() => request.destroy(new Error('Nothing comes.')), SILENCE_MS_MAX);
  try {
    for await (const bytes of request.iterator({ destroyOnReturn: false })) {
      yield bytes as Uint8Array;
      silence.refresh();
    }
  } finally {
    clearTimeout(silence);
  }
}

/** Undefined when it is too large. */
async function bodyOf(content: AsyncIterable<Uint8Array>, bytesMax: number): Promise<Buffer | undefined> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of content) {
    length += piece.byteLength;
    if (length > bytesMax) return undefined;
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** What still comes of a request that was refused is dropped, for as long as its sender may need to read why. */
function letPass(request: IncomingMessage): void {
  const over = setTimeout(() => request.destroy(), REST_MS_MAX);
  request.once('close', () => clearTimeout(over));
  request.resume();
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

function send(request: IncomingMessage, response: ServerResponse, { status, body }: StreamAnswer): void {
  if (!request.complete) {
    // Closed with bytes on their way, a connection takes its answer with it.
    response.shouldKeepAlive = true;
    letPass(request);
  }
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
