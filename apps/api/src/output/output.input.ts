import { DomainError } from '#domain';
import { z } from 'zod';
import { flagText, integerText } from '../http/inputs.js';
import { InvalidInputError } from '../http/problem.js';
import type { EventFormat } from './event-format.js';
import type { EventsRequest } from './output-events.service.js';
import type { OutputRequest } from './output.service.js';

export const OutputQuery = z.strictObject({
  stream: z.enum(['stdout', 'stderr', 'both']).optional().meta({
    description: 'By default `stdout` for bytes and `both` for events. `both` is always events.',
  }),
  from: integerText(0, Number.MAX_SAFE_INTEGER)
    .optional()
    .meta({ description: 'Bytes only: the first byte of the stream to send.' }),
  after: integerText(0, Number.MAX_SAFE_INTEGER)
    .optional()
    .meta({ description: 'Events only: the position of the last event that was dealt with.' }),
  encoding: z.enum(['auto', 'base64']).optional().meta({
    description: 'Events only: `auto` sends text as text where that loses nothing.',
  }),
  follow: flagText
    .optional()
    .meta({ description: 'Go on live until the exec has ended. The default of `text/event-stream`.' }),
});
export type OutputQuery = z.infer<typeof OutputQuery>;

export interface OutputHeaders {
  readonly accept: string | undefined;
  readonly range: string | undefined;
  readonly lastEventId: string | undefined;
}

export type WantedOutput =
  | { readonly kind: 'bytes'; readonly request: OutputRequest }
  | { readonly kind: 'events'; readonly request: EventsRequest };

/** What a request wants is said by `Accept` and by `stream`; what belongs to the other kind is refused, not ignored. */
export function wantedOutputOf(query: OutputQuery, headers: OutputHeaders): WantedOutput {
  const format = eventFormatOf(headers.accept, query.stream);
  if (format !== undefined) return { kind: 'events', request: eventsRequestOf(format, query, headers) };
  for (const name of ['after', 'encoding'] as const) {
    if (query[name] !== undefined) throw misplaced(name, 'belongs to events; bytes have `from`.');
  }
  const stream = query.stream === 'stderr' ? 'stderr' : 'stdout';
  const { from, follow } = query;
  return { kind: 'bytes', request: { stream, from, follow: follow ?? false, range: headers.range } };
}

function eventFormatOf(accept: string | undefined, stream: OutputQuery['stream']): EventFormat | undefined {
  const types = (accept ?? '').toLowerCase();
  if (types.includes('text/event-stream')) return 'sse';
  return types.includes('application/x-ndjson') || stream === 'both' ? 'ndjson' : undefined;
}

function eventsRequestOf(
  format: EventFormat,
  query: OutputQuery,
  { range, lastEventId }: OutputHeaders,
): EventsRequest {
  if (query.from !== undefined) throw misplaced('from', 'counts bytes of one stream; events have `after`.');
  if (range !== undefined) throw badHeader('Range', 'A Range is of bytes; events have `after`.');
  const last = lastEventOf(lastEventId);
  return {
    format,
    stream: query.stream ?? 'both',
    // A browser comes again with the address that it was first given, so its header is the newer word.
    after: last?.position ?? query.after ?? 0,
    afterEnd: last?.end ?? false,
    follow: query.follow ?? format === 'sse',
    encoding: query.encoding ?? 'auto',
  };
}

const LAST_EVENT_ID = /^(\d{1,16})(:end)?$/;

function lastEventOf(header: string | undefined): { position: number; end: boolean } | undefined {
  if (header === undefined || header === '') return undefined;
  const [, position, end] = LAST_EVENT_ID.exec(header) ?? [];
  if (position === undefined) {
    throw badHeader('Last-Event-ID', 'The Last-Event-ID is not one that this API gave out.');
  }
  return { position: Number(position), end: end !== undefined };
}

function misplaced(name: string, message: string): InvalidInputError {
  const pointer = `/${name}`;
  return new InvalidInputError(`\`${name}\` ${message}`, [{ pointer, message }]);
}

const badHeader = (header: string, message: string): DomainError =>
  new DomainError('bad_request', message, { extra: { header } });
