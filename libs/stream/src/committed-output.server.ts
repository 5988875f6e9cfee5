import type { ServerResponse } from 'node:http';
import type { Chunk, ExecId, HostServices } from '#domain';
import { encodeChunk, PIECE_BYTES_MAX } from './chunk.codec.js';
import { piecesOf } from './chunk-pieces.js';

/** A receiver that leaves this much to be sent finds what is stored faster than what we would keep for it. */
const UNSENT_BYTES_MAX = 8 * 1_024 * 1_024;

const PATH = /^\/v1\/execs\/([^/]+)\/committed$/;

/** The id in the path of a request for committed output; undefined for every other path. */
export function committedOutputPath(method: string | undefined, path: string): string | undefined {
  return method === 'GET' ? PATH.exec(path)?.[1] : undefined;
}

/** Sends what is committed as it is committed, until the exec has ended or the receiver is too slow. */
export function sendCommittedOutput(response: ServerResponse, services: HostServices, exec: ExecId): void {
  const stop = services.watchCommitted(exec, {
    take: (chunk) => send(response, chunk),
    over: () => void response.end(),
  });
  if (!stop) {
    response.writeHead(404).end();
    return;
  }
  response.once('close', stop);
  response.writeHead(200, { 'content-type': 'application/octet-stream' });
  response.flushHeaders();
}

function send(response: ServerResponse, chunk: Chunk): void {
  if (response.destroyed || response.writableEnded) return;
  response.cork();
  for (const piece of piecesOf(chunk, PIECE_BYTES_MAX)) {
    for (const bytes of encodeChunk(piece)) response.write(bytes);
  }
  response.uncork();
  if (response.writableLength > UNSENT_BYTES_MAX) response.destroy();
}
