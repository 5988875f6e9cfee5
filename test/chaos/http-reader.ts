import { createHash } from 'node:crypto';
import { hasEnded, type Client, type ExecBody } from './client.js';
import type { StreamName } from './expected-bytes.js';
import { pause } from './pause.js';
import type { Readings } from './readings.js';

const RETRY_MS = 300;
/** A connection on which nothing comes for so long is given up, as a client behind a dead machine would. */
const SILENCE_MS = 20_000;
const TOO_FAR = 416;

/**
 * Follows a stream live over HTTP from an offset on and comes back at the byte it had reached whenever the connection
 * breaks. Returns when it has everything of an exec that has ended, or when it is told to stop.
 */
export async function followOverHttp(
  client: Client,
  readings: Readings,
  target: { readonly execId: string; readonly stream: StreamName; readonly from: number },
  signal: AbortSignal,
): Promise<void> {
  const { execId, stream } = target;
  const reader = `http follow from ${target.from}`;
  let at = target.from;
  while (!signal.aborted) {
    try {
      const exec = await client.call('GET', `/v1/execs/${execId}`);
      if (
        exec.status === 200 &&
        hasEnded(exec.body as ExecBody) &&
        at >= totalOf(exec.body as ExecBody, stream)
      )
        return;
      at = await readOnce(client, readings, { execId, stream, at, reader }, signal);
    } catch {
      // Broken connections are what this reader is for.
    }
    await pause(RETRY_MS, signal);
  }
}

async function readOnce(
  client: Client,
  readings: Readings,
  { execId, stream, at, reader }: { execId: string; stream: StreamName; at: number; reader: string },
  signal: AbortSignal,
): Promise<number> {
  const silence = new AbortController();
  let timer = setTimeout(() => silence.abort(), SILENCE_MS);
  let reached = at;
  try {
    const either = AbortSignal.any([signal, silence.signal]);
    const answer = await client.output(execId, stream, at, { follow: true, signal: either });
    if (answer.status === TOO_FAR || !answer.ok || !answer.body) return reached;
    for await (const piece of answer.body) {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENCE_MS);
      const bytes = Buffer.from(piece);
      readings.take(reader, stream, reached, bytes);
      reached += bytes.length;
    }
  } catch {
    // What came before the break counts; the caller comes back.
  } finally {
    clearTimeout(timer);
  }
  return reached;
}

/** Reads a stored stream from an offset to its end; undefined when the connection broke meanwhile. */
export async function readStored(
  client: Client,
  readings: Readings,
  { execId, stream, from }: { readonly execId: string; readonly stream: StreamName; readonly from: number },
): Promise<{ readonly bytes: number; readonly sha256: string } | undefined> {
  const hash = createHash('sha256');
  let at = from;
  try {
    const answer = await client.output(execId, stream, from, {
      follow: false,
      signal: AbortSignal.timeout(2 * SILENCE_MS),
    });
    if (!answer.ok || !answer.body) return undefined;
    for await (const piece of answer.body) {
      const bytes = Buffer.from(piece);
      readings.take(`http from ${from}`, stream, at, bytes);
      hash.update(bytes);
      at += bytes.length;
    }
    return { bytes: at - from, sha256: hash.digest('hex') };
  } catch {
    return undefined;
  }
}

export const totalOf = (exec: ExecBody, stream: StreamName): number =>
  stream === 'stdout' ? exec.stdoutBytes : exec.stderrBytes;
