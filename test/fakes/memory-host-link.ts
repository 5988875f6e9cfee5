import { piecesOf } from '../../libs/stream/src/chunk-pieces.js';
import type { MemoryExecs } from './memory-execs.js';
import type {
  Chunk,
  DomainError,
  SandboxFiles,
  ExecId,
  GitLook,
  HostLink,
  InputPiece,
  InputResult,
  Resize,
  ResizeState,
  SandboxId,
  SendableSignal,
} from '#domain';

/** Smaller than what is stored, as it is with a real host. */
const FEED_PIECE_BYTES = 20_000;

/** Notes what a host would get, and is a command that reads everything. */
export class MemoryHostLink implements HostLink {
  readonly hinted: ExecId[] = [];
  readonly signals: SendableSignal[] = [];
  readonly sizes: Resize[] = [];
  /** Set to make every question fail, as a host that is away does. */
  away: DomainError | undefined;
  /** Questions that failed because of that. */
  refusals = 0;
  /** What a command does with input; by default it takes it all. */
  answer: ((piece: InputPiece) => InputResult) | undefined;
  feedsOpened = 0;
  private readonly feeds = new Set<Feed>();
  private readonly inputs = new Map<ExecId, Uint8Array[]>();
  private writer: string | null = null;

  /** What the host does with a hint; by default nothing. */
  onHint: ((exec: ExecId) => Promise<void>) | undefined;

  hint(_host: string, exec: ExecId): void {
    this.hinted.push(exec);
    void this.onHint?.(exec);
  }

  inputOf(exec: ExecId): string {
    return Buffer.concat(this.inputs.get(exec) ?? []).toString();
  }

  async writeStdin(_host: string, exec: ExecId, piece: InputPiece): Promise<InputResult> {
    await this.reached();
    if (this.answer) return this.answer(piece);
    const before = this.inputs.get(exec) ?? [];
    const appliedTo = before.reduce((sum, one) => sum + one.byteLength, 0);
    if (piece.take) this.writer = piece.writer;
    if (this.writer !== null && piece.writer !== this.writer)
      return { state: 'taken', appliedTo, eof: false };
    if (piece.offset > appliedTo) return { state: 'gap', appliedTo, eof: false };
    const rest = piece.bytes.subarray(appliedTo - piece.offset);
    this.inputs.set(exec, [...before, new Uint8Array(rest)]);
    return { state: 'applied', appliedTo: appliedTo + rest.byteLength, eof: piece.eof };
  }

  files(_host: string): SandboxFiles {
    throw new TypeError('No host of these tests has files.');
  }

  async signal(_host: string, _exec: ExecId, signal: SendableSignal): Promise<number> {
    await this.reached();
    return this.signals.push(signal);
  }

  async resize(_host: string, _exec: ExecId, resize: Resize): Promise<ResizeState> {
    await this.reached();
    if (this.writer !== null && resize.writer !== this.writer) return 'taken';
    this.sizes.push(resize);
    return 'resized';
  }

  /** What was asked about repositories, and what the sandbox answers. */
  readonly gitLooks: GitLook[] = [];
  gitAnswer: object = { outcome: 'seen' };

  async git(_host: string, _sandbox: SandboxId, request: GitLook): Promise<object> {
    await this.reached();
    this.gitLooks.push(request);
    return this.gitAnswer;
  }

  /** From now on every append to these execs goes to who follows them; a feed breaks off where `breaks` says so. */
  feedFrom(execs: MemoryExecs, breaks: () => boolean): void {
    const append = execs.append.bind(execs);
    execs.append = async (id, chunk) => {
      const appended = await append(id, chunk);
      for (const feed of this.feeds) {
        for (const piece of piecesOf(chunk, FEED_PIECE_BYTES)) {
          if (breaks()) feed.end();
          else feed.push(piece);
        }
      }
      return appended;
    };
  }

  endFeeds(): void {
    for (const feed of this.feeds) feed.end();
  }

  get feedsOpen(): number {
    return this.feeds.size;
  }

  /** By default it supervises no exec. */
  async *committed(_host: string, _exec: ExecId, signal: AbortSignal): AsyncGenerator<Chunk> {
    await this.reached();
    const feed = new Feed(signal);
    this.feeds.add(feed);
    this.feedsOpened += 1;
    try {
      yield* feed.chunks();
    } finally {
      this.feeds.delete(feed);
    }
  }

  private async reached(): Promise<void> {
    await Promise.resolve();
    if (!this.away) return;
    this.refusals += 1;
    throw this.away;
  }
}

class Feed {
  private readonly waiting: Chunk[] = [];
  private over = false;
  private wake: () => void = () => undefined;

  constructor(signal: AbortSignal) {
    signal.addEventListener('abort', () => this.end());
  }

  push(chunk: Chunk): void {
    this.waiting.push(chunk);
    this.wake();
  }

  end(): void {
    this.over = true;
    this.wake();
  }

  async *chunks(): AsyncGenerator<Chunk> {
    for (;;) {
      const next = this.waiting.shift();
      if (next) yield next;
      else if (this.over) return;
      else await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }
}
