import { randomUUID } from 'node:crypto';
import {
  DomainError,
  isDomainError,
  limits,
  type FileContent,
  type FileHead,
  type FileRequest,
  type InputPiece,
  type InputResult,
  type RunnerConnection,
  type SandboxFiles,
  type SandboxId,
  type UploadId,
  type UploadPiece,
  type UploadResult,
} from '#domain';
import { writeAll } from '../exec/input-pieces.js';
import { ShortVisits, type VisitPorts } from '../host/short-visits.js';
import { headOf, markOf, openFile, startFile } from './file-program.js';

const VISITS_PER_SANDBOX_MAX = 16;
/** How long the end of an upload can be asked for again. */
const ENDED_UPLOAD_KEPT_MS = 60_000;
const TRANSFER = {
  stdin: { kind: 'inline', bytes: new Uint8Array(0) },
  timeoutMs: limits.FILE_TRANSFER_MS_MAX,
  transient: true,
} as const;

/**
 * The files of this host's sandboxes, each request a run of one small program there. It keeps nothing: how far an upload
 * has come is known by its own supervisor in the sandbox.
 */
export class FileVisits implements SandboxFiles {
  private readonly visits: ShortVisits;

  constructor(private readonly ports: VisitPorts) {
    this.visits = new ShortVisits(ports, VISITS_PER_SANDBOX_MAX);
  }

  async ask(sandbox: SandboxId, request: FileRequest, content: Uint8Array): Promise<FileHead> {
    return await this.visits.during(sandbox, async (connection) => {
      const runId = randomUUID();
      const whole = Buffer.concat([content, markOf(runId)]);
      const fits = whole.byteLength <= limits.STDIN_INLINE_BYTES_MAX;
      try {
        await startFile(connection, runId, request, {
          stdin: fits ? { kind: 'inline', bytes: whole } : { kind: 'open' },
          timeoutMs: limits.FILE_ASK_MS_MAX,
          transient: true,
        });
        // One that takes no content has its reasons, which are its result.
        if (!fits) await feed(connection, runId, pieceOf(0, whole, true));
        return await headOf(connection, runId, new AbortController().signal);
      } finally {
        await this.visits.endQuietly(connection, runId);
      }
    });
  }

  async read(sandbox: SandboxId, request: FileRequest, signal: AbortSignal): Promise<FileContent> {
    const leave = this.visits.enter(sandbox);
    const runId = randomUUID();
    try {
      const connection = await this.visits.connect(sandbox);
      const over = onceOnly(async () => {
        leave();
        await this.visits.endQuietly(connection, runId);
        await connection.close();
      });
      // An answer that nobody began to read is never left either.
      signal.addEventListener('abort', () => void over(), { once: true });
      try {
        await startFile(connection, runId, request, TRANSFER);
        const { head, content } = await openFile(connection, runId, signal);
        return { head, content: finishedBy(content, over) };
      } catch (error) {
        await over();
        throw error;
      }
    } catch (error) {
      leave();
      throw error;
    }
  }

  async begin(sandbox: SandboxId, upload: UploadId, request: FileRequest): Promise<void> {
    await this.visits.during(sandbox, async (connection) => {
      await startFile(connection, upload, request, {
        stdin: { kind: 'open' },
        timeoutMs: limits.FILE_TRANSFER_MS_MAX,
        // Its id may be asked for again, by whoever holds the key that it was made from.
        transient: false,
        idleTimeoutMs: limits.UPLOAD_IDLE_MS_MAX,
      });
    });
  }

  async append(sandbox: SandboxId, upload: UploadId, piece: UploadPiece): Promise<UploadResult> {
    return await this.visits.during(sandbox, async (connection) => {
      const { offset, eof } = piece;
      const bytes = eof ? Buffer.concat([piece.bytes, markOf(upload)]) : piece.bytes;
      const result = await this.write(connection, upload, pieceOf(offset, bytes, eof));
      const { state, appliedTo } = result;
      const isWhole = state === 'applied' && eof;
      // It has taken the end, or ended before it: either way its result says why.
      if (!isWhole && state !== 'closed') return { appliedTo: requireApplied(result, piece), head: null };
      const head = await headOf(connection, upload, new AbortController().signal);
      this.forgetLater(sandbox, upload);
      return { appliedTo: isWhole ? offset + piece.bytes.byteLength : appliedTo, head };
    });
  }

  async giveUp(sandbox: SandboxId, upload: UploadId): Promise<void> {
    await this.visits.during(sandbox, async (connection) => await this.visits.end(connection, upload));
  }

  private async write(
    connection: RunnerConnection,
    upload: UploadId,
    piece: InputPiece,
  ): Promise<InputResult> {
    const { state } = await connection.status(upload);
    if (state === 'finished') return { state: 'closed', appliedTo: 0, eof: true };
    if (state !== 'running' && state !== 'starting') throw noSuchUpload();
    return await feed(connection, upload, piece);
  }

  private forgetLater(sandbox: SandboxId, upload: UploadId): void {
    setTimeout(() => {
      this.giveUp(sandbox, upload).catch((error: unknown) => {
        this.ports.log.debug({ err: error, upload }, 'The spool of an upload stays in the sandbox.');
      });
    }, ENDED_UPLOAD_KEPT_MS).unref();
  }
}

/** One that has ended meanwhile takes nothing more. */
async function feed(connection: RunnerConnection, runId: string, piece: InputPiece): Promise<InputResult> {
  try {
    return await writeAll(connection, runId, piece);
  } catch (error) {
    if (isDomainError(error, 'invalid_state')) return { state: 'closed', appliedTo: 0, eof: true };
    throw error;
  }
}

const pieceOf = (offset: number, bytes: Uint8Array, eof: boolean): InputPiece => ({
  offset,
  bytes,
  eof,
  writer: null,
  take: false,
});

function requireApplied({ state, appliedTo }: InputResult, { offset }: UploadPiece): number {
  if (state === 'applied') return appliedTo;
  const extra = { appliedTo };
  if (state === 'full') {
    throw new DomainError('stdin_full', 'The disk of the sandbox is slow. Send the same again.', {
      extra,
      retryAfterSeconds: 1,
    });
  }
  throw new DomainError('stdin_gap', `The upload has come to byte ${appliedTo}; these begin at ${offset}.`, {
    extra,
  });
}

const noSuchUpload = (): DomainError => new DomainError('not_found', 'There is no such upload any more.');

async function* finishedBy(
  content: AsyncGenerator<Uint8Array>,
  over: () => Promise<void>,
): AsyncGenerator<Uint8Array> {
  try {
    yield* content;
  } finally {
    await over();
  }
}

function onceOnly(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return async () => await (done ??= work());
}
