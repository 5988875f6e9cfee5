import { Body, Controller, Delete, Inject, Param, Post, Put, Query } from '@nestjs/common';
import type { z } from 'zod';
import { Access } from '../auth/access.js';
import { SandboxParams } from '../execs/exec.input.js';
import { Answer } from '../http/answer.js';
import { CurrentCall, type Call } from '../http/call.js';
import { Describe } from '../http/describe.js';
import { present } from '../http/inputs.js';
import { Content } from '../http/request-content.js';
import { Rate } from '../rate/rate-policies.js';
import { UploadView } from './file.view.js';
import { UploadBody, UploadParams, UploadQuery } from './files.input.js';
import { FilesService } from './files.service.js';

type Params = z.infer<typeof UploadParams>;

/** Uploads in pieces: for what is larger than one request, and for what must go on after a connection that broke. */
@Controller('v1/sandboxes')
export class FileUploadsController {
  constructor(@Inject(FilesService) private readonly files: FilesService) {}

  @Post(':sandboxId/files/uploads')
  @Access('admin')
  @Rate('write')
  @Describe({
    tag: 'files',
    summary: 'Begin an upload of a file, or of a folder as a tar stream',
    answers: { 201: UploadView },
  })
  async begin(
    @CurrentCall() call: Call,
    @Param({ schema: SandboxParams }) { sandboxId }: z.infer<typeof SandboxParams>,
    @Body({ schema: UploadBody }) { kind = 'file', ...rest }: z.infer<typeof UploadBody>,
  ) {
    const action = kind === 'file' ? 'write' : 'extract';
    const view = await this.files.begin(call, sandboxId, { action, ...present(rest) });
    return new Answer(201, view, { location: view.links['self'] ?? '' });
  }

  @Put(':sandboxId/files/uploads/:uploadId')
  @Access('admin')
  @Rate('exec')
  @Describe({
    tag: 'files',
    summary:
      'Raw bytes from `offset` on, each applied once however often it is sent; none asks how far it has come',
    body: 'content',
    answers: { 200: UploadView },
  })
  async append(
    @CurrentCall() call: Call,
    @Param({ schema: UploadParams }) { sandboxId, uploadId }: Params,
    @Query({ schema: UploadQuery }) { offset, eof = false }: z.infer<typeof UploadQuery>,
    @Content() content: AsyncIterable<Uint8Array>,
  ) {
    return await this.files.append(call, sandboxId, uploadId, { offset, content, eof });
  }

  @Delete(':sandboxId/files/uploads/:uploadId')
  @Access('admin')
  @Rate('write')
  @Describe({ tag: 'files', summary: 'Give an upload up', answers: { 200: UploadView } })
  async giveUp(@CurrentCall() call: Call, @Param({ schema: UploadParams }) { sandboxId, uploadId }: Params) {
    return await this.files.giveUp(call, sandboxId, uploadId);
  }
}
