import { SetMetadata } from '@nestjs/common';
import type { ZodType } from 'zod';

export const DESCRIPTION = 'berth:description';

export type AnswerKind = ZodType | 'bytes' | 'output' | 'text' | 'object' | 'nothing';

/** What OpenAPI says about a route besides its schemas. `bytes` is a raw stream, `output` that or events. */
export interface Description {
  readonly summary: string;
  readonly answers: Readonly<Record<number, AnswerKind>>;
  readonly tag: string;
  /** For a body that is no JSON: `bytes` are read whole, `content` is handed on as it comes. */
  readonly body?: 'bytes' | 'content';
}

export const Describe = (description: Description) => SetMetadata(DESCRIPTION, description);
