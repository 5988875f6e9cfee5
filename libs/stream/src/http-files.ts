import type { IncomingMessage } from 'node:http';
import {
  DomainError,
  limits,
  type FileContent,
  type FileHead,
  type FileRequest,
  type HostId,
  type PassedBuffers,
  type SandboxFiles,
  type SandboxId,
  type UploadId,
  type UploadPiece,
  type UploadResult,
} from '#domain';
import { FILE_HEAD_HEADER, fileQuery, headFrom } from './file-routes.js';
import type { HostRequests } from './host-requests.js';
import { errorFrom } from './refusal.js';

/** Beyond what the host waits for the sandbox: what it and the runner take to answer. */
const ANSWER_TIMEOUT_MS = 15_000;
const REFUSAL_BYTES_MAX = 64 * 1_024;
const CONTENT = { method: 'PUT', timeoutMs: limits.FILE_TRANSFER_MS_MAX } as const;
const NOTHING = new Uint8Array(0);
/** Reading twice is reading; everything else is repeated by its caller, who knows what it means. */
const REPEATABLE: ReadonlySet<string> = new Set(['read', 'list', 'pack']);

/** The files of one host's sandboxes, over its stream port. */
export class HttpFiles implements SandboxFiles {
  constructor(
    private readonly requests: HostRequests,
    private readonly host: HostId,
    private readonly buffers: PassedBuffers,
  ) {}

  async ask(sandbox: SandboxId, request: FileRequest): Promise<FileHead> {
    return (await this.requests.ask(this.host, {
      method: 'POST',
      path: `/v1/sandboxes/${sandbox}/files${fileQuery(request)}`,
      body: NOTHING,
      timeoutMs: limits.FILE_ASK_MS_MAX + ANSWER_TIMEOUT_MS,
      repeatable: REPEATABLE.has(request.action),
      answerBytesMax: limits.FILE_HEAD_BYTES_MAX,
    })) as FileHead;
  }

  async write(
    sandbox: SandboxId,
    request: FileRequest,
    content: AsyncIterable<Uint8Array>,
  ): Promise<FileHead> {
    const path = `/v1/sandboxes/${sandbox}/files${fileQuery(request)}`;
    return (await this.requests.write(this.host, { ...CONTENT, path, content })) as FileHead;
  }

  async read(sandbox: SandboxId, request: FileRequest, signal: AbortSignal): Promise<FileContent> {
    const path = `/v1/sandboxes/${sandbox}/files${fileQuery(request)}`;
    const response = await this.requests.open(this.host, path, signal);
    if (response.statusCode !== 200) throw await refusalIn(response);
    return { head: headFrom(response.headers[FILE_HEAD_HEADER]), content: this.contentOf(response) };
  }

  async begin(sandbox: SandboxId, upload: UploadId, request: FileRequest): Promise<void> {
    await this.upload('POST', `${uploadPath(sandbox, upload)}${fileQuery(request)}`);
  }

  async append(sandbox: SandboxId, upload: UploadId, piece: UploadPiece): Promise<UploadResult> {
    const { offset, content, eof } = piece;
    const path = `${uploadPath(sandbox, upload)}?offset=${offset}${eof ? '&eof' : ''}`;
    return (await this.requests.write(this.host, { ...CONTENT, path, content })) as UploadResult;
  }

  async giveUp(sandbox: SandboxId, upload: UploadId): Promise<void> {
    await this.upload('DELETE', uploadPath(sandbox, upload));
  }

  private async upload(method: 'POST' | 'DELETE', path: string): Promise<void> {
    const timeoutMs = limits.FILE_ASK_MS_MAX + ANSWER_TIMEOUT_MS;
    await this.requests.ask(this.host, { method, path, body: NOTHING, timeoutMs, repeatable: true });
  }

  private async *contentOf(response: IncomingMessage): AsyncGenerator<Uint8Array> {
    try {
      for await (const bytes of response as AsyncIterable<Uint8Array>) {
        yield bytes;
        this.buffers.passed(bytes.byteLength);
      }
    } finally {
      response.destroy();
    }
  }
}

const uploadPath = (sandbox: SandboxId, upload: UploadId): string =>
  `/v1/sandboxes/${sandbox}/uploads/${upload}`;

async function refusalIn(response: IncomingMessage): Promise<Error> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of response as AsyncIterable<Buffer>) {
    length += piece.byteLength;
    if (length > REFUSAL_BYTES_MAX) break;
    pieces.push(piece);
  }
  const refusal = length === 0 ? undefined : errorFrom(JSON.parse(Buffer.concat(pieces).toString()));
  return (
    refusal ??
    new DomainError('dependency_unavailable', `The host answered ${response.statusCode ?? 0}.`, {
      dependency: 'host',
      retryAfterSeconds: 1,
    })
  );
}
