import { SetMetadata } from '@nestjs/common';
import type { ZodType } from 'zod';

export const DESCRIPTION = 'berth:description';

/** What OpenAPI says about a route besides its schemas. `bytes` is a raw stream. */
export interface Description {
  readonly summary: string;
  readonly answers: Readonly<Record<number, ZodType | 'bytes' | 'object'>>;
  readonly tag: string;
  /** For a body that is no JSON. */
  readonly body?: 'bytes';
}

export const Describe = (description: Description) => SetMetadata(DESCRIPTION, description);
