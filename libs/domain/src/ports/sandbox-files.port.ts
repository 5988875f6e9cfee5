import type { FileHead, FileRequest, UploadPiece, UploadResult } from '../files/file-request.js';
import type { SandboxId } from '../ids.js';

/**
 * The files of running sandboxes. Everything throws what the sandbox refuses; `invalid_state` where it does not run,
 * at once; and what was written is there as a whole or not at all, whoever dies meanwhile.
 */
export interface SandboxFiles {
  /** What takes no content and answers with none. */
  ask(sandbox: SandboxId, request: FileRequest): Promise<FileHead>;
  /** Content of any length, read no faster than it is taken. */
  write(sandbox: SandboxId, request: FileRequest, content: AsyncIterable<Uint8Array>): Promise<FileHead>;
  /** What comes throws where the content is not the whole. Leaving the loop, or aborting, ends it. */
  read(sandbox: SandboxId, request: FileRequest, signal: AbortSignal): Promise<FileContent>;
  /** Begins an upload under an id that was never used. Sent again it is the same upload. */
  begin(sandbox: SandboxId, upload: UploadId, request: FileRequest): Promise<void>;
  /** Each byte is applied once, however often it is sent. A piece without bytes only asks how far it has come. */
  append(sandbox: SandboxId, upload: UploadId, piece: UploadPiece): Promise<UploadResult>;
  /** Leaves nothing of an upload that has not ended. */
  giveUp(sandbox: SandboxId, upload: UploadId): Promise<void>;
}

export interface FileContent {
  readonly head: FileHead;
  readonly content: AsyncIterable<Uint8Array>;
}

declare const brand: unique symbol;
/** A UUID of version 4: it can be no exec's, whose ids are of the versions 5 and 7. */
export type UploadId = string & { readonly [brand]: 'UploadId' };

const RANDOM_UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

export const parseUploadId = (value: string): UploadId | undefined =>
  RANDOM_UUID.test(value) ? (value as UploadId) : undefined;
