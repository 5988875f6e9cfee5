import { setTimeout as delay } from 'node:timers/promises';
import { isDomainError, limits, type InputPiece, type InputResult, type RunnerConnection } from '#domain';

/** A runner that is busy with requests of another connection is asked again after this long. */
const BUSY_RETRY_MS = 100;

interface Sent {
  readonly piece: InputPiece;
  readonly askedAt: number;
  readonly result: Promise<InputResult>;
}

/**
 * Pieces of one input on their way to its command, several at once, so that its rate is not that of round trips. What is not
 * applied at the first attempt is sent again, one piece after the other.
 */
class InputPieces {
  private sent: Sent[] = [];

  constructor(
    private readonly connection: RunnerConnection,
    private readonly id: string,
  ) {}

  /** Waits where as many as may be are on their way. Returns a result other than `applied`, after which nothing may be sent. */
  async send(piece: InputPiece): Promise<InputResult | undefined> {
    const isFull = this.sent.length >= limits.STDIN_PIECES_AT_ONCE_MAX;
    const oldest = isFull ? await this.settleOldest() : undefined;
    if (oldest !== undefined && oldest.state !== 'applied') return oldest;
    const askedAt = performance.now();
    const result = this.connection.writeStdin(this.id, piece);
    // Whoever waits for the oldest one must not leave this one's failure to nobody.
    result.catch(() => undefined);
    this.sent.push({ piece, askedAt, result });
    return undefined;
  }

  /** The result of the last piece, or of the first one that was not applied. */
  async settle(): Promise<InputResult | undefined> {
    let last: InputResult | undefined;
    while (this.sent.length > 0) {
      last = await this.settleOldest();
      if (last.state !== 'applied') break;
    }
    return last;
  }

  private async settleOldest(): Promise<InputResult> {
    const [oldest, ...behind] = this.sent;
    if (!oldest) throw new TypeError('Nothing has been sent.');
    const first = await orBusy(oldest.result);
    if (first?.state === 'applied') {
      this.sent = behind;
      return first;
    }
    this.sent = [];
    await Promise.allSettled(behind.map(({ result }) => result));
    if (first?.state === 'taken' || first?.state === 'closed') return first;
    return await this.sendAgain([oldest, ...behind]);
  }

  private async sendAgain(all: readonly Sent[]): Promise<InputResult> {
    let result: InputResult | undefined;
    for (const { piece, askedAt } of all) {
      result = await this.insist(piece, result ? performance.now() : askedAt);
      if (result.state !== 'applied') break;
    }
    if (!result) throw new TypeError('There is nothing to send again.');
    return result;
  }

  /** Until it is applied, something else is the answer, or the command has not read for too long. */
  private async insist(piece: InputPiece, begunAt: number): Promise<InputResult> {
    let progressAt = begunAt;
    for (let seen = piece.offset; ;) {
      const askedAt = performance.now();
      const result = await orBusy(this.connection.writeStdin(this.id, piece));
      if (result && result.state !== 'full') return result;
      if (result && result.appliedTo > seen) {
        seen = result.appliedTo;
        progressAt = askedAt;
      }
      const isLate = performance.now() - progressAt > limits.STDIN_WAIT_MS_MAX;
      if (isLate) return result ?? { state: 'full', appliedTo: seen, eof: false };
      if (!result) await delay(BUSY_RETRY_MS);
    }
  }
}

/** All of it, as far as the command takes it. */
export async function writeAll(
  connection: RunnerConnection,
  id: string,
  whole: InputPiece,
): Promise<InputResult> {
  return await writePieces(connection, id, piecesOf(whole));
}

/** The pieces of an input, as they come. */
export async function writePieces(
  connection: RunnerConnection,
  id: string,
  pieces: Iterable<InputPiece> | AsyncIterable<InputPiece>,
): Promise<InputResult> {
  const sent = new InputPieces(connection, id);
  for await (const piece of pieces) {
    const refused = await sent.send(piece);
    if (refused) return refused;
  }
  const result = await sent.settle();
  if (!result) throw new TypeError('An input without a piece has no result.');
  return result;
}

function* piecesOf(whole: InputPiece): Generator<InputPiece> {
  for (let from = 0; ; from += limits.STDIN_PIECE_BYTES_MAX) {
    yield pieceOf(whole, from);
    if (from + limits.STDIN_PIECE_BYTES_MAX >= whole.bytes.byteLength) return;
  }
}

function pieceOf(whole: InputPiece, from: number): InputPiece {
  const bytes = whole.bytes.subarray(from, from + limits.STDIN_PIECE_BYTES_MAX);
  const isLast = from + bytes.byteLength === whole.bytes.byteLength;
  return {
    offset: whole.offset + from,
    bytes,
    eof: whole.eof && isLast,
    writer: whole.writer,
    take: whole.take && from === 0,
  };
}

/** Undefined where too many requests wait there already. */
async function orBusy(result: Promise<InputResult>): Promise<InputResult | undefined> {
  try {
    return await result;
  } catch (error) {
    if (isDomainError(error) && error.extra?.['runnerCode'] === 'resource_exhausted') return undefined;
    throw error;
  }
}
