import { Readable } from 'node:stream';
import { Inject, Injectable } from '@nestjs/common';
import { DomainError, EXEC_TRANSITIONS, isTerminal, outputExpired, type Exec } from '#domain';
import { ExecsService } from '../execs/execs.service.js';
import type { Call } from '../http/call.js';
import { Draining } from '../waiting/draining.js';
import { beyondTheEnd, rangeOf, type ByteRange } from './byte-range.js';
import { ExecReader, type ReaderEvent } from './exec-reader.js';
import { slicesOf, type OutputStream } from './stream-slices.js';

/** What is handed to the connection at a time. */
const PIECE_BYTES = 64 * 1_024;

export interface OutputRequest {
  readonly stream: OutputStream;
  readonly from: number | undefined;
  readonly follow: boolean;
  readonly range: string | undefined;
}

export interface OutputAnswer {
  readonly exec: Exec;
  readonly totalBytes: number;
  readonly status: 200 | 206;
  /** `to` is infinite where the answer goes on until the exec has ended. */
  readonly range: ByteRange;
  readonly bytes: Readable;
}

/** The raw bytes of one stream, as they are stored and as they come. */
@Injectable()
export class OutputService {
  constructor(
    @Inject(ExecsService) private readonly execs: ExecsService,
    @Inject(ExecReader) private readonly reader: ExecReader,
    @Inject(Draining) private readonly draining: Draining,
  ) {}

  async read(call: Call, id: string, request: OutputRequest): Promise<OutputAnswer> {
    const exec = await this.execs.get(call, id, 0);
    if (exec.outputState === 'expired') throw outputExpired();
    const totalBytes = request.stream === 'stdout' ? exec.stdoutBytes : exec.stderrBytes;
    const { status, range } = wantedOf(request, totalBytes);
    const live = request.follow && !isTerminal(EXEC_TRANSITIONS, exec.state);
    const wanted = { from: range.from, to: live ? Number.POSITIVE_INFINITY : range.to };
    return {
      exec,
      totalBytes,
      status,
      range: wanted,
      bytes: this.stream(call, exec, request.stream, wanted),
    };
  }

  private stream(call: Call, exec: Exec, stream: OutputStream, range: ByteRange): Readable {
    const events = this.reader.read(exec.id, {
      of: stream,
      from: range.from,
      follow: range.to === Number.POSITIVE_INFINITY,
      signal: AbortSignal.any([call.signal, this.draining.signal]),
    });
    return Readable.from(bytesOf(events, stream, range), {
      objectMode: false,
      highWaterMark: PIECE_BYTES,
    });
  }
}

function wantedOf(
  { from, follow, range: header }: OutputRequest,
  totalBytes: number,
): { status: 200 | 206; range: ByteRange } {
  if (header !== undefined && (from !== undefined || follow)) {
    throw new DomainError('bad_request', 'A Range cannot be combined with `from` or `follow`.', {
      extra: { header: 'Range' },
    });
  }
  const range = rangeOf(header, totalBytes);
  if (range) return { status: 206, range };
  if ((from ?? 0) > totalBytes) throw beyondTheEnd(totalBytes);
  return { status: 200, range: { from: from ?? 0, to: totalBytes } };
}

/** Copies: a view that waits in a socket would keep the whole chunk that it shows. */
function* piecesOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let from = 0; from < bytes.byteLength; from += PIECE_BYTES)
    yield new Uint8Array(bytes.subarray(from, from + PIECE_BYTES));
}

/** Ends normally only when every byte was sent; an answer that is cut must not look complete. */
async function* bytesOf(
  events: AsyncIterable<ReaderEvent>,
  stream: OutputStream,
  { from, to }: ByteRange,
): AsyncGenerator<Uint8Array> {
  let at = from;
  if (at === to) return;
  for await (const event of events) {
    if (event.kind === 'end') return;
    if (event.kind === 'state') continue;
    for (const slice of slicesOf(event.chunk, stream, at)) {
      const wanted = slice.subarray(0, to - at);
      at += wanted.byteLength;
      yield* piecesOf(wanted);
      if (at === to) return;
    }
  }
  throw new Error('The output was cut before its end.');
}
