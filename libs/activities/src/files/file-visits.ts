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
import { writePieces } from '../exec/input-pieces.js';
import { ShortVisits, type VisitPorts } from '../host/short-visits.js';
import { FileContentPieces } from './file-content.js';
import { headOf, markOf, openFile, startFile } from './file-program.js';

const VISITS_PER_SANDBOX_MAX = 16;
/** How long the end of an upload can be asked for again. */
const ENDED_UPLOAD_KEPT_MS = 60_000;
const WITHOUT_CONTENT = { kind: 'inline', bytes: new Uint8Array(0) } as const;
const ASKED = { stdin: WITHOUT_CONTENT, timeoutMs: limits.FILE_ASK_MS_MAX, transient: true } as const;
const TRANSFER = { timeoutMs: limits.FILE_TRANSFER_MS_MAX, transient: true } as const;

/**
 * The files of this host's sandboxes, each request a run of one small program there. It keeps nothing: how far an upload
 * has come is known by its own supervisor in the sandbox.
 */
export class FileVisits implements SandboxFiles {
  private readonly visits: ShortVisits;

  constructor(private readonly ports: VisitPorts) {
    this.visits = new ShortVisits(ports, VISITS_PER_SANDBOX_MAX);
  }

  async ask(sandbox: SandboxId, request: FileRequest): Promise<FileHead> {
    return await this.visits.during(sandbox, async (connection) => {
      const runId = randomUUID();
      try {
        await startFile(connection, runId, request, ASKED);
        return await headOf(connection, runId, new AbortController().signal);
      } finally {
        await this.visits.endQuietly(connection, runId);
      }
    });
  }

  async write(
    sandbox: SandboxId,
    request: FileRequest,
    content: AsyncIterable<Uint8Array>,
  ): Promise<FileHead> {
    return await this.visits.during(sandbox, async (connection) => {
      const runId = randomUUID();
      const pieces = new FileContentPieces(content, 0, markOf(runId));
      const { bytes, isWhole } = await pieces.first();
      try {
        if (isWhole) {
          const stdin = { kind: 'inline', bytes: Buffer.concat([bytes, markOf(runId)]) } as const;
          await startFile(connection, runId, request, { ...TRANSFER, stdin });
        } else {
          await startFile(connection, runId, request, { ...TRANSFER, stdin: { kind: 'open' } });
          const result = await feed(connection, runId, pieces.from(bytes));
          // One that takes no more has its reasons, which are its result.
          if (result.state !== 'closed') requireApplied(result, 0);
        }
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
        // One that was given up before this began is not told again.
        signal.throwIfAborted();
        await startFile(connection, runId, request, { ...TRANSFER, stdin: WITHOUT_CONTENT });
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
      const { offset, content, eof } = piece;
      const pieces = new FileContentPieces(content, offset, eof ? markOf(upload) : null);
      const result = await continueUpload(connection, upload, pieces);
      const { state, appliedTo } = result;
      const isWhole = state === 'applied' && eof;
      // It has taken the end, or ended before it: either way its result says why.
      if (!isWhole && state !== 'closed') return { appliedTo: requireApplied(result, offset), head: null };
      const head = await headOf(connection, upload, new AbortController().signal);
      this.forgetLater(sandbox, upload);
      return { appliedTo: isWhole ? offset + pieces.bytes : appliedTo, head };
    });
  }

  async giveUp(sandbox: SandboxId, upload: UploadId): Promise<void> {
    await this.visits.during(sandbox, async (connection) => await this.visits.end(connection, upload));
  }

  private forgetLater(sandbox: SandboxId, upload: UploadId): void {
    setTimeout(() => {
      this.giveUp(sandbox, upload).catch((error: unknown) => {
        this.ports.log.debug({ err: error, upload }, 'The spool of an upload stays in the sandbox.');
      });
    }, ENDED_UPLOAD_KEPT_MS).unref();
  }
}

async function continueUpload(
  connection: RunnerConnection,
  upload: UploadId,
  pieces: FileContentPieces,
): Promise<InputResult> {
  const { state } = await connection.status(upload);
  if (state === 'finished') return { state: 'closed', appliedTo: 0, eof: true };
  if (state !== 'running' && state !== 'starting') throw noSuchUpload();
  const { bytes } = await pieces.first();
  return await feed(connection, upload, pieces.from(bytes));
}

/** One that has ended meanwhile takes nothing more. */
async function feed(
  connection: RunnerConnection,
  runId: string,
  pieces: AsyncIterable<InputPiece>,
): Promise<InputResult> {
  try {
    return await writePieces(connection, runId, pieces);
  } catch (error) {
    if (isDomainError(error, 'invalid_state')) return { state: 'closed', appliedTo: 0, eof: true };
    throw error;
  }
}

function requireApplied({ state, appliedTo }: InputResult, offset: number): number {
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
