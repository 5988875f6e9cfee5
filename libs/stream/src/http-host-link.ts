import {
  limits,
  type Chunk,
  type ExecId,
  type GitLook,
  type HostId,
  type HostLink,
  type HostStore,
  type InputPiece,
  type InputResult,
  type InputState,
  type Log,
  type PassedBuffers,
  type Resize,
  type ResizeState,
  type SandboxFiles,
  type SandboxId,
  type SendableSignal,
} from '#domain';
import { ChunkDecoder } from './chunk.codec.js';
import { HttpFiles } from './http-files.js';
import { HostRequests } from './host-requests.js';

const HINT_TIMEOUT_MS = 2_000;
/** Beyond what the host waits for a command: what it and the runner take to answer. */
const ANSWER_TIMEOUT_MS = 15_000;
/** Input lies here in the pieces in which it came, and as a whole. */
const INPUT_BUFFERED_TIMES = 2;

/** Asks hosts over their stream ports. A hint that fails is dropped: the run of the exec does the same work. */
export class HttpHostLink implements HostLink {
  private readonly hints: HostRequests;
  private readonly inputs: HostRequests;
  private readonly questions: HostRequests;
  private readonly waiting = new Map<HostId, ExecId[]>();

  constructor(
    hosts: HostStore,
    adminSecret: string,
    private readonly buffers: PassedBuffers,
    private readonly log: Log,
  ) {
    // Apart, because input that waits for commands which do not read must keep neither a hint nor a signal from its way.
    this.hints = new HostRequests(hosts, adminSecret);
    this.inputs = new HostRequests(hosts, adminSecret);
    this.questions = new HostRequests(hosts, adminSecret);
  }

  /** Hints of one turn of the event loop travel together. */
  hint(host: HostId, exec: ExecId): void {
    const waiting = this.waiting.get(host);
    if (waiting) {
      waiting.push(exec);
      return;
    }
    this.waiting.set(host, [exec]);
    queueMicrotask(() => void this.sendHints(host));
  }

  async writeStdin(host: HostId, exec: ExecId, piece: InputPiece): Promise<InputResult> {
    const query = new URLSearchParams({ offset: String(piece.offset) });
    if (piece.eof) query.set('eof', '');
    if (piece.take) query.set('take', '');
    if (piece.writer !== null) query.set('writer', piece.writer);
    this.buffers.passed(piece.bytes.byteLength * INPUT_BUFFERED_TIMES);
    return (await this.inputs.ask(host, {
      method: 'PUT',
      path: `/v1/execs/${exec}/stdin?${query.toString()}`,
      body: piece.bytes,
      timeoutMs: limits.STDIN_WAIT_MS_MAX + ANSWER_TIMEOUT_MS,
      repeatable: true,
    })) as { state: InputState; appliedTo: number; eof: boolean };
  }

  async signal(host: HostId, exec: ExecId, signal: SendableSignal): Promise<number> {
    const answer = await this.post(host, `/v1/execs/${exec}/signal`, { signal }, false);
    return (answer as { processGroup: number }).processGroup;
  }

  async resize(host: HostId, exec: ExecId, { size, writer }: Resize): Promise<ResizeState> {
    const answer = await this.post(host, `/v1/execs/${exec}/resize`, { ...size, writer }, true);
    return (answer as { state: ResizeState }).state;
  }

  async git(host: HostId, sandbox: SandboxId, request: GitLook): Promise<object> {
    return (await this.questions.ask(host, {
      method: 'POST',
      path: `/v1/sandboxes/${sandbox}/git`,
      body: bytesOf(request),
      timeoutMs: limits.GIT_LOOK_MS_MAX + ANSWER_TIMEOUT_MS,
      repeatable: request.action !== 'create' && request.action !== 'switch',
      answerBytesMax: limits.GIT_LOOK_ANSWER_BYTES_MAX,
    })) as object;
  }

  files(host: HostId): SandboxFiles {
    return new HttpFiles(this.questions, host, this.buffers);
  }

  async *committed(host: HostId, exec: ExecId, signal: AbortSignal): AsyncGenerator<Chunk> {
    const response = await this.questions.open(host, `/v1/execs/${exec}/committed`, signal);
    try {
      if (response.statusCode !== 200) return;
      const decoder = new ChunkDecoder();
      for await (const bytes of response as AsyncIterable<Uint8Array>) {
        yield* decoder.push(bytes);
        this.buffers.passed(bytes.byteLength);
      }
    } finally {
      response.destroy();
    }
  }

  close(): void {
    this.hints.close();
    this.inputs.close();
    this.questions.close();
  }

  private async post(host: HostId, path: string, body: object, repeatable: boolean): Promise<unknown> {
    return await this.questions.ask(host, {
      method: 'POST',
      path,
      body: bytesOf(body),
      timeoutMs: ANSWER_TIMEOUT_MS,
      repeatable,
    });
  }

  private async sendHints(host: HostId): Promise<void> {
    const execIds = this.waiting.get(host) ?? [];
    this.waiting.delete(host);
    try {
      await this.hints.ask(host, {
        method: 'POST',
        path: '/v1/hints',
        body: bytesOf({ execIds }),
        timeoutMs: HINT_TIMEOUT_MS,
        repeatable: false,
      });
    } catch (error) {
      this.log.debug({ err: error, host }, 'A hint was not delivered.');
    }
  }
}

const bytesOf = (body: object): Uint8Array => Buffer.from(JSON.stringify(body));
