import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { Inject, Injectable } from '@nestjs/common';
import {
  DomainError,
  limits,
  parseUploadId,
  workspacePath,
  type FileContent,
  type FileHead,
  type FileRequest,
  type HostLink,
  type IdempotencyStore,
  type OwnerId,
  type SandboxFiles,
  type SandboxId,
  type UploadId,
  type UploadPiece,
} from '#domain';
import type { z } from 'zod';
import type { Call } from '../http/call.js';
import { present } from '../http/inputs.js';
import { idFor, requestHashOf } from '../http/request-identity.js';
import { SandboxStarter } from '../sandboxes/sandbox-starter.js';
import { partOf, type ByteRange, type WantedRange } from '../output/byte-range.js';
import { HOST_LINK, IDEMPOTENCY_STORE } from '../tokens.js';
import { exactContent } from './exact-content.js';
import { entriesIn, fileIn, type FilePage, type FileView, type UploadView } from './file.view.js';

/** Which content of a file its caller wants, and which it has. */
export interface WantedContent {
  readonly unless: readonly string[];
  readonly range: WantedRange | undefined;
  readonly tag: string | undefined;
}

/** The files of sandboxes that run. Paths are judged here, links in them only inside the sandbox. */
@Injectable()
export class FilesService {
  constructor(
    @Inject(SandboxStarter) private readonly sandboxes: SandboxStarter,
    @Inject(HOST_LINK) private readonly hosts: HostLink,
    @Inject(IDEMPOTENCY_STORE) private readonly keys: IdempotencyStore,
  ) {}

  /** Without content where the caller has it already. */
  async read(
    call: Call,
    sandbox: string,
    path: string,
    { unless, range, tag }: WantedContent,
  ): Promise<{ readonly file: FileView; readonly part?: ByteRange; readonly content: Readable | null }> {
    const request = {
      action: 'read',
      path,
      unless,
      ...(range && { range: { ...range, ...present({ tag }) } }),
    } as const;
    const { head, content } = await this.open(call, sandbox, request);
    const file = fileIn(head);
    if (unless.some((known) => known === '*' || known === file.etag)) return { file, content: null };
    const part = range && head.part !== undefined ? partOf(range, file.bytes) : undefined;
    const bytes = part ? part.to - part.from : file.bytes;
    return {
      file,
      ...present({ part }),
      content: Readable.from(exactContent(content, bytes), { objectMode: false }),
    };
  }

  /** A folder as a tar stream. */
  async pack(call: Call, sandbox: string, path: string): Promise<Readable> {
    const { content } = await this.open(call, sandbox, { action: 'pack', path });
    return Readable.from(content, { objectMode: false });
  }

  async write(
    call: Call,
    sandbox: string,
    request: FileRequest,
    content: AsyncIterable<Uint8Array>,
  ): Promise<FileView> {
    const { id, files } = await this.at(call, sandbox);
    return fileIn(await files.write(id, judged(request), content));
  }

  async remove(call: Call, sandbox: string, request: FileRequest): Promise<FileView> {
    const { id, files } = await this.at(call, sandbox);
    return fileIn(await files.ask(id, judged(request)));
  }

  async list(
    call: Call,
    sandbox: string,
    { path, limit = limits.FILE_LIST_MAX, cursor }: { path: string; limit?: number; cursor?: string },
  ): Promise<z.infer<typeof FilePage>> {
    const { id, files } = await this.at(call, sandbox);
    const after = cursor === undefined ? '' : Buffer.from(cursor, 'base64url').toString();
    const head = await files.ask(id, judged({ action: 'list', path, limit, after }));
    const items = entriesIn(head);
    const last = items.at(-1)?.name;
    const more = head.more === true && last !== undefined;
    return { items, nextCursor: more ? Buffer.from(last).toString('base64url') : null };
  }

  async begin(call: Call, sandbox: string, request: FileRequest): Promise<z.infer<typeof UploadView>> {
    const { id, files, ownerId } = await this.at(call, sandbox);
    const upload = uploadIdOf(call);
    const wanted = judged(request);
    if (call.idempotencyKey !== undefined) {
      await this.keys.remember({
        tenantId: call.principal.tenantId,
        ownerId,
        keyId: upload,
        requestHash: requestHashOf({ sandbox: id, ...wanted }),
        resourceId: upload,
      });
    }
    await files.begin(id, upload, wanted);
    return viewOf(id, upload, 0);
  }

  async append(
    call: Call,
    sandbox: string,
    name: string,
    piece: UploadPiece,
  ): Promise<z.infer<typeof UploadView>> {
    const { id, files } = await this.at(call, sandbox);
    const upload = knownUpload(name);
    const { appliedTo, head } = await files.append(id, upload, piece);
    return viewOf(id, upload, appliedTo, head);
  }

  async giveUp(call: Call, sandbox: string, name: string): Promise<z.infer<typeof UploadView>> {
    const { id, files } = await this.at(call, sandbox);
    const upload = knownUpload(name);
    await files.giveUp(id, upload);
    return viewOf(id, upload, 0);
  }

  private async open(call: Call, sandbox: string, request: FileRequest): Promise<FileContent> {
    const { id, files } = await this.at(call, sandbox);
    return await files.read(id, judged(request), call.signal);
  }

  private async at(
    call: Call,
    sandbox: string,
  ): Promise<{ id: SandboxId; ownerId: OwnerId; files: SandboxFiles }> {
    const { id, hostId, ownerId } = await this.sandboxes.find(call, sandbox);
    return { id, ownerId, files: this.hosts.files(hostId) };
  }
}

const judged = (request: FileRequest): FileRequest => ({ ...request, path: workspacePath(request.path) });

function viewOf(
  sandbox: SandboxId,
  id: UploadId,
  appliedTo: number,
  head: FileHead | null = null,
): z.infer<typeof UploadView> {
  return {
    id,
    appliedTo,
    file: head && fileIn(head),
    links: { self: `/v1/sandboxes/${sandbox}/files/uploads/${id}` },
  };
}

/** The same key begins the same upload: the version is what tells the id from those of execs. */
function uploadIdOf(call: Call): UploadId {
  const id = call.idempotencyKey === undefined ? randomUUID() : idFor(call, 'upload');
  return required(parseUploadId(`${id.slice(0, 14)}4${id.slice(15)}`));
}

function knownUpload(name: string): UploadId {
  return required(parseUploadId(name));
}

function required(upload: UploadId | undefined): UploadId {
  if (upload === undefined) throw new DomainError('not_found', 'There is no such upload.');
  return upload;
}
