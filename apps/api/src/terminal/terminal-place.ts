import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { WriterName } from '../execs/exec-input.input.js';
import { integerText } from '../http/inputs.js';
import { check } from '../http/schema.pipe.js';

export const TERMINAL_PATH = '/v1/execs/:execId/terminal';

/** Which terminal a client has come to, and from where on it wants to see it. */
export interface TerminalPlace {
  readonly execId: string;
  readonly after: number;
  readonly writer: string | null;
}

const Query = z.strictObject({
  after: integerText(0, Number.MAX_SAFE_INTEGER).optional(),
  writer: WriterName.optional(),
});

/** Throws `bad_request` with a pointer. */
export function placeOf({ url = '' }: IncomingMessage): TerminalPlace {
  const { pathname, searchParams } = new URL(url, 'http://api');
  const { after, writer } = check(Query, Object.fromEntries(searchParams));
  return { execId: pathname.split('/')[3] ?? '', after: after ?? 0, writer: writer ?? null };
}
