import { DomainError, type ErrorCode } from '../errors.js';

export type FileAction = 'read' | 'write' | 'remove' | 'list' | 'pack' | 'extract';

/** One thing to do with one path of a workspace, in the words of the program: docs/FILES.md. */
export interface FileRequest {
  readonly action: FileAction;
  /** As `workspacePath` has it. */
  readonly path: string;
  /** A tag without its quotes, or `*` for whatever is there. */
  readonly ifMatch?: string;
  /** Only where there is nothing yet. */
  readonly ifNone?: boolean;
  readonly recursive?: boolean;
  readonly after?: string;
  readonly limit?: number;
  /** Tags of what the caller has: such a file is not sent again. */
  readonly unless?: readonly string[];
  /** A part of a file; of the one with this tag only, if there is one. A sandbox from before it sends the whole. */
  readonly range?: { readonly first: number | null; readonly last: number | null; readonly tag?: string };
}

/** The first line of the program. It is the sandbox's word: whoever shows it checks it. */
export interface FileHead {
  readonly file?: unknown;
  readonly entries?: unknown;
  readonly more?: unknown;
  /** Told where a part is sent, or nothing. */
  readonly part?: unknown;
}

/** A part of an upload. The content is over with the last one. */
export interface UploadPiece {
  readonly offset: number;
  readonly content: AsyncIterable<Uint8Array>;
  readonly eof: boolean;
}

export interface UploadResult {
  readonly appliedTo: number;
  /** What it has become; null until its end. */
  readonly head: FileHead | null;
}

/** What the program refuses with, and what it is called here. */
const REFUSALS: Readonly<Record<string, ErrorCode>> = {
  path_invalid: 'path_invalid',
  not_found: 'not_found',
  forbidden: 'forbidden',
  precondition_failed: 'precondition_failed',
  invalid_state: 'invalid_state',
  payload_too_large: 'payload_too_large',
  archive_refused: 'archive_refused',
  disk_pressure: 'disk_pressure',
  canceled: 'invalid_state',
  failed: 'container_failed',
};
const MESSAGE_LENGTH_MAX = 500;

/** Undefined for what is no head; throws the refusal that it holds. */
export function fileHeadOf(value: unknown): FileHead | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { refusal } = value as { refusal?: unknown };
  if (refusal === undefined) return value;
  const { code, message } = refusal as { code?: unknown; message?: unknown };
  if (typeof code !== 'string' || !Object.hasOwn(REFUSALS, code)) return undefined;
  const text = typeof message === 'string' ? message.slice(0, MESSAGE_LENGTH_MAX) : 'It was refused.';
  throw new DomainError(REFUSALS[code] ?? 'container_failed', text);
}
