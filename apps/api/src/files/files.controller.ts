import { Controller, Delete, Get, Headers, Inject, Param, Put, Query } from '@nestjs/common';
import type { z } from 'zod';
import { Access } from '../auth/access.js';
import { SandboxParams } from '../execs/exec.input.js';
import { Answer } from '../http/answer.js';
import { CurrentCall, type Call } from '../http/call.js';
import { Describe } from '../http/describe.js';
import { present } from '../http/inputs.js';
import { Content } from '../http/request-content.js';
import { wantedRangeOf } from '../output/byte-range.js';
import { OpenStreams } from '../output/open-streams.js';
import { Rate } from '../rate/rate-policies.js';
import { FilePage, FileView } from './file.view.js';
import { FileQuery, FolderQuery, ListQuery, RemoveQuery } from './files.input.js';
import { FilesService } from './files.service.js';
import { knownTagsIn, preconditionsOf, tagOfRange } from './preconditions.js';

type Params = z.infer<typeof SandboxParams>;

@Controller('v1/sandboxes')
export class FilesController {
  constructor(
    @Inject(FilesService) private readonly files: FilesService,
    @Inject(OpenStreams) private readonly streams: OpenStreams,
  ) {}

  @Get(':sandboxId/files')
  @Access('admin')
  @Rate('read')
  @Describe({
    tag: 'files',
    summary: 'The content of a file, with its ETag; `Range`, `If-Range` and `If-None-Match` hold',
    answers: { 200: 'bytes', 206: 'bytes', 304: 'nothing' },
  })
  async read(
    @CurrentCall() call: Call,
    @Param({ schema: SandboxParams }) { sandboxId }: Params,
    @Query({ schema: FileQuery }) { path }: z.infer<typeof FileQuery>,
    @Headers('if-none-match') ifNoneMatch: string | undefined,
    @Headers('range') range: string | undefined,
    @Headers('if-range') ifRange: string | undefined,
  ) {
    this.streams.refuseOneTooMany();
    const wanted = {
      unless: knownTagsIn(ifNoneMatch),
      range: wantedRangeOf(range),
      tag: tagOfRange(ifRange),
    };
    const { file, part, content } = await this.files.read(call, sandboxId, path, wanted);
    const etag = `"${file.etag}"`;
    if (content === null) return new Answer(304, undefined, { etag });
    return new Answer(part ? 206 : 200, this.streams.count(content, call.signal), {
      'content-type': 'application/octet-stream',
      'content-length': String(part ? part.to - part.from : file.bytes),
      'accept-ranges': 'bytes',
      ...(part ? { 'content-range': `bytes ${part.from}-${part.to - 1}/${file.bytes}` } : {}),
      'last-modified': new Date(file.modifiedAt).toUTCString(),
      etag,
    });
  }

  @Put(':sandboxId/files')
  @Access('admin')
  @Rate('write')
  @Describe({
    tag: 'files',
    summary:
      'Write a file with the folders above it, as a whole or not at all; `If-Match` and `If-None-Match: *` hold',
    body: 'content',
    answers: { 200: FileView },
  })
  async write(
    @CurrentCall() call: Call,
    @Param({ schema: SandboxParams }) { sandboxId }: Params,
    @Query({ schema: FileQuery }) { path }: z.infer<typeof FileQuery>,
    @Headers('if-match') ifMatch: string | undefined,
    @Headers('if-none-match') ifNoneMatch: string | undefined,
    @Content() content: AsyncIterable<Uint8Array>,
  ) {
    const request = { action: 'write', path, ...preconditionsOf(ifMatch, ifNoneMatch) } as const;
    return tagged(await this.files.write(call, sandboxId, request, content));
  }

  @Delete(':sandboxId/files')
  @Access('admin')
  @Rate('write')
  @Describe({
    tag: 'files',
    summary: 'Remove a file, a link or an empty folder; answers with what it was. `If-Match` holds',
    answers: { 200: FileView },
  })
  async remove(
    @CurrentCall() call: Call,
    @Param({ schema: SandboxParams }) { sandboxId }: Params,
    @Query({ schema: RemoveQuery }) { path, recursive = false }: z.infer<typeof RemoveQuery>,
    @Headers('if-match') ifMatch: string | undefined,
  ) {
    const { ifMatch: tag } = preconditionsOf(ifMatch, undefined);
    const request = { action: 'remove', path, recursive, ...present({ ifMatch: tag }) } as const;
    return await this.files.remove(call, sandboxId, request);
  }

  @Get(':sandboxId/files/list')
  @Access('admin')
  @Rate('read')
  @Describe({ tag: 'files', summary: 'What is in a folder, by name', answers: { 200: FilePage } })
  async list(
    @CurrentCall() call: Call,
    @Param({ schema: SandboxParams }) { sandboxId }: Params,
    @Query({ schema: ListQuery }) { path = '', ...page }: z.infer<typeof ListQuery>,
  ) {
    return await this.files.list(call, sandboxId, { path, ...present(page) });
  }

  @Get(':sandboxId/files/archive')
  @Access('admin')
  @Rate('read')
  @Describe({ tag: 'files', summary: 'A folder as a tar stream', answers: { 200: 'bytes' } })
  async archive(
    @CurrentCall() call: Call,
    @Param({ schema: SandboxParams }) { sandboxId }: Params,
    @Query({ schema: FolderQuery }) { path = '' }: z.infer<typeof FolderQuery>,
  ) {
    this.streams.refuseOneTooMany();
    const content = await this.files.pack(call, sandboxId, path);
    return new Answer(200, this.streams.count(content, call.signal), { 'content-type': 'application/x-tar' });
  }
}

const tagged = (file: FileView) => new Answer(200, file, { etag: `"${file.etag}"` });
