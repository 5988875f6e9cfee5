import type { Duplex } from 'node:stream';
import { DomainError, limits, type ArchiveSummary, type WorkspaceArchive, type WorkspaceRef } from '#domain';
import { REPORT_BYTES_MAX, summaryOf } from './archive-report.js';
import { DockerStreamDemultiplexer } from './channel/docker-stream.demultiplexer.js';
import { archiveContainerBody } from './container-body.js';
import type { EngineClient } from './engine-client.js';
import { EngineDeadlineError, translateEngineError } from './engine-errors.js';
import type { ResourceNames } from './names.js';
import { ShortLivedContainers, type ShortLivedContainer } from './short-lived-containers.js';

const LIMITS = { bytesMax: limits.SNAPSHOT_BYTES_MAX, entriesMax: limits.SNAPSHOT_ENTRIES_MAX };

export interface ArchiveSurroundings {
  readonly image: string;
  readonly runnerVolume: string;
  /** What is read or filled. */
  readonly volume: string;
}

/**
 * Workspaces as tar streams, written and extracted by the runner in a container without network that holds nothing but
 * the one volume. Neither the engine's own archives nor any path of the host is used.
 */
export class Archives {
  private readonly containers: ShortLivedContainers;

  constructor(
    engine: EngineClient,
    private readonly names: ResourceNames,
  ) {
    this.containers = new ShortLivedContainers(engine, names, 'archive');
  }

  async read(
    { sandboxId }: WorkspaceRef,
    surroundings: ArchiveSurroundings,
    signal: AbortSignal,
  ): Promise<WorkspaceArchive> {
    const body = archiveContainerBody(sandboxId, 'write', LIMITS, { names: this.names, ...surroundings });
    const opened = await this.containers.open(sandboxId, body, 'workspace');
    let said: string | undefined;
    return {
      bytes: spoken(opened, signal, new Silence(opened.attached), (text) => (said = text)),
      summary: () => summaryOf(said ?? ''),
    };
  }

  /** The volume must be new. What the stream is must be known before. */
  async unpack(
    { sandboxId }: WorkspaceRef,
    surroundings: ArchiveSurroundings,
    archive: { readonly bytes: AsyncIterable<Uint8Array>; readonly summary: ArchiveSummary },
    signal: AbortSignal,
  ): Promise<void> {
    const { streamBytes, sha256 } = archive.summary;
    const expected = { ...LIMITS, streamBytes, sha256, intoEmpty: true };
    const body = archiveContainerBody(sandboxId, 'extract', expected, { names: this.names, ...surroundings });
    const opened = await this.containers.open(sandboxId, body, 'workspace');
    let said = '';
    const silence = new Silence(opened.attached);
    const listening = hear(opened, signal, silence, (text) => (said = text));
    const [sent, heard] = await Promise.allSettled([
      send(opened.attached, archive.bytes, silence),
      listening,
    ]);
    // What the runner says is the most exact: whatever else failed then failed because of it.
    if (said === '' && sent.status === 'rejected') throw sent.reason;
    if (said === '' && heard.status === 'rejected') throw heard.reason;
    const { entries, bytes } = summaryOf(said);
    if (entries === archive.summary.entries && bytes === archive.summary.bytes) return;
    throw new DomainError('archive_refused', 'The archive holds something else than was announced.');
  }

  /** Every one of a sandbox, so that nothing works on its workspaces any more. */
  async removeAll(sandboxId: WorkspaceRef['sandboxId']): Promise<void> {
    await this.containers.removeAll(sandboxId);
  }
}

/** Ends a stream over which nothing has moved for too long. */
class Silence {
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly stream: Duplex) {}

  /** From now on, anew. */
  begin(): void {
    this.end();
    const silent = new EngineDeadlineError('move a byte of the workspace', limits.ARCHIVE_SILENCE_MS_MAX);
    this.timer = setTimeout(() => this.stream.destroy(silent), limits.ARCHIVE_SILENCE_MS_MAX);
  }

  end(): void {
    clearTimeout(this.timer);
  }
}

/** What the container writes to its standard output, and at the end what it said beside it. It is removed after that. */
async function* spoken(
  { attached, remove }: ShortLivedContainer,
  signal: AbortSignal,
  silence: Silence,
  onEnd: (said: string) => void,
): AsyncGenerator<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let said = '';
  const text = new TextDecoder();
  const demultiplexer = new DockerStreamDemultiplexer(
    (bytes) => pieces.push(bytes),
    (bytes) => (said = (said + text.decode(bytes, { stream: true })).slice(-REPORT_BYTES_MAX)),
  );
  const stop = (): void => void attached.destroy();
  signal.addEventListener('abort', stop, { once: true });
  silence.begin();
  try {
    signal.throwIfAborted();
    for await (const chunk of attached as AsyncIterable<Uint8Array>) {
      demultiplexer.push(chunk);
      // The time that whoever takes the bytes needs is not the container's.
      silence.end();
      yield* pieces.splice(0);
      silence.begin();
    }
    onEnd(said);
  } catch (error) {
    signal.throwIfAborted();
    throw translateEngineError(error, 'give the workspace');
  } finally {
    silence.end();
    signal.removeEventListener('abort', stop);
    attached.destroy();
    await remove();
  }
}

async function hear(
  opened: ShortLivedContainer,
  signal: AbortSignal,
  silence: Silence,
  onEnd: (said: string) => void,
): Promise<void> {
  for await (const _unexpected of spoken(opened, signal, silence, onEnd)) {
    // What extracts writes nothing; what it would write is of no use.
  }
}

/** Ends early, and without an error, where the container does not take any more: it says why by itself. */
async function send(attached: Duplex, bytes: AsyncIterable<Uint8Array>, silence: Silence): Promise<void> {
  try {
    for await (const piece of bytes) {
      if (attached.destroyed || attached.writableEnded) return;
      silence.begin();
      if (!attached.write(piece)) await untilTaken(attached);
    }
  } catch (error) {
    attached.destroy();
    throw error;
  }
}

async function untilTaken(attached: Duplex): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = (): void => {
      for (const event of ['drain', 'close', 'end', 'error']) attached.off(event, done);
      resolve();
    };
    for (const event of ['drain', 'close', 'end', 'error']) attached.once(event, done);
  });
}
