import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseExecId, type HostServices, type Log } from '#domain';
import { isToken, streamToken, TOKEN_HEADER } from './token.js';

const BODY_BYTES_MAX = 64 * 1_024;
const IDS_MAX = 1_000;
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

/** The private port of a host. Only Berth's API talks to it; every request carries the token. */
export class StreamServer {
  private constructor(
    private readonly server: Server,
    readonly address: string,
  ) {}

  static async listen(options: StreamServerOptions): Promise<StreamServer> {
    const token = streamToken(options.adminSecret);
    const server = createServer((request, response) => {
      answer(request, token, options.services).then(
        (status) => response.writeHead(status).end(),
        (error: unknown) => refuse(response, error, options.log),
      );
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

async function answer(request: IncomingMessage, token: string, services: HostServices): Promise<number> {
  if (!isToken(request.headers[TOKEN_HEADER], token)) return 401;
  if (request.method !== 'POST' || request.url !== '/v1/hints') return 404;
  const ids = hintsOf(await bodyOf(request));
  if (!ids) return 400;
  // The answer does not wait: a hint has no result.
  void services.hurry(ids);
  return 204;
}

function hintsOf(body: Buffer | undefined) {
  if (!body) return undefined;
  const parsed = JSON.parse(body.toString()) as { execIds?: unknown };
  if (!Array.isArray(parsed.execIds) || parsed.execIds.length > IDS_MAX) return undefined;
  const ids = parsed.execIds.flatMap((id) => (typeof id === 'string' ? (parseExecId(id) ?? []) : []));
  return ids.length === parsed.execIds.length ? ids : undefined;
}

/** Undefined when it is too large. */
async function bodyOf(request: IncomingMessage): Promise<Buffer | undefined> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    length += piece.byteLength;
    if (length > BODY_BYTES_MAX) return undefined;
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

function refuse(response: ServerResponse, error: unknown, log: Log): void {
  log.warn({ err: error }, 'A request to the stream port failed.');
  if (!response.headersSent) response.writeHead(error instanceof SyntaxError ? 400 : 500);
  response.end();
}
