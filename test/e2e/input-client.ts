import { call, type Answer } from './api-client.js';
import { runningStack } from '../stack/running-stack.js';
import { secretHeader } from './api-client.js';

const RETRY_MS = 100;

export interface InputAnswer {
  readonly appliedTo?: number;
  readonly eof?: boolean;
  readonly code?: string;
  readonly state?: string;
  readonly expected?: number;
  readonly [field: string]: unknown;
}

/** One PUT, as it is answered. */
export async function putStdin(
  execId: string,
  offset: number,
  bytes: Uint8Array,
  query = '',
): Promise<Answer<InputAnswer>> {
  const response = await fetch(
    new URL(`/v1/execs/${execId}/stdin?offset=${offset}${query}`, runningStack().apiUrl),
    { method: 'PUT', headers: secretHeader(), body: Buffer.from(bytes) },
  );
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as InputAnswer,
  };
}

/** Sends all of it in pieces, and each again for as long as it is not answered with 200: what a client does. */
export async function feed(
  execId: string,
  whole: Uint8Array,
  options: { readonly pieceBytes: number; readonly seconds: number; readonly from?: number },
): Promise<{ readonly repeated: number }> {
  const giveUpAt = Date.now() + options.seconds * 1_000;
  let repeated = 0;
  let offset = options.from ?? 0;
  do {
    const piece = whole.subarray(offset, offset + options.pieceBytes);
    const isLast = offset + piece.byteLength === whole.byteLength;
    const status = await tried(() => putStdin(execId, offset, piece, isLast ? '&eof=true' : ''));
    if (status === 200) offset += piece.byteLength;
    else repeated += 1;
    if (status === 200 && isLast) return { repeated };
    if (Date.now() > giveUpAt) throw new Error(`The input has come to ${offset} of ${whole.byteLength}.`);
    if (status !== 200) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  } while (offset <= whole.byteLength);
  return { repeated };
}

/** 0 where nobody answers. */
async function tried(put: () => Promise<Answer<InputAnswer>>): Promise<number> {
  const { status, body } = await put().catch(() => ({ status: 0, body: {} as InputAnswer }));
  const waits = status === 409 && (body.state === 'queued' || body.state === 'starting');
  if (waits || [0, 200, 429, 503].includes(status)) return status;
  throw new Error(`PUT stdin answered ${status}: ${JSON.stringify(body)}`);
}

export async function sendSignal(execId: string, signal: string): Promise<Answer<Record<string, unknown>>> {
  return await call('POST', `/v1/execs/${execId}/signal`, { body: { signal } });
}
