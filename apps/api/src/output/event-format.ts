import { isUtf8 } from 'node:buffer';
import type { Exec } from '#domain';
import { execView } from '../execs/exec.view.js';
import type { PlacedFrame } from './frame-position.js';
import { incompleteTailBytes } from './utf8.js';

export type EventFormat = 'sse' | 'ndjson';
export type EventName = 'state' | 'output' | 'end';
/** `auto`: text where that is shorter and says exactly the same, otherwise base64. */
export type DataEncoding = 'auto' | 'base64';

/** How long a client of server-sent events waits before it comes again. */
const RETRY_MS = 1_000;
/** Bytes that are encoded at a time, so that an event is never held as a whole. A multiple of three, for base64. */
const PIECE_BYTES = 48 * 1_024;

/** What stands around the data of an event. Its JSON never holds a line break, so one line is enough. */
export const EVENT_FORMATS: Readonly<
  Record<
    EventFormat,
    {
      readonly contentType: string;
      readonly opening: string;
      /** Keeps proxies from closing a silent connection; undefined where the format has nothing to say nothing with. */
      readonly keepAlive: string | undefined;
      readonly before: (name: EventName, id: string) => string;
      readonly after: string;
    }
  >
> = {
  sse: {
    contentType: 'text/event-stream; charset=utf-8',
    opening: `retry: ${RETRY_MS}\n\n`,
    keepAlive: ':\n\n',
    before: (name, id) => `event: ${name}\nid: ${id}\ndata: `,
    after: '\n\n',
  },
  ndjson: {
    contentType: 'application/x-ndjson; charset=utf-8',
    opening: '',
    keepAlive: undefined,
    before: () => '',
    after: '\n',
  },
};

/** The id of the last event. A client that comes again with it has seen everything. */
export const endIdOf = (position: number): string => `${position}:end`;

export function stateEvent(format: EventFormat, position: number, exec: Exec): string {
  const body = { event: 'state', state: exec.state, position, exec: execView(exec) };
  return whole(format, 'state', String(position), body);
}

export function endEvent(format: EventFormat, position: number, exec: Exec): string {
  const { state, exitCode, signal } = exec;
  const body = { event: 'end', state, exitCode, signal, position, exec: execView(exec) };
  return whole(format, 'end', endIdOf(position), body);
}

/** One frame as an event, in pieces. The position is the one after it: the cursor of whoever has dealt with it. */
export function* outputEvent(
  format: EventFormat,
  { frame, positionAfter }: PlacedFrame,
  wanted: DataEncoding,
): Generator<string> {
  const { stream, offset, timeMicros, payload } = frame;
  const encoding = wanted === 'auto' && isBetterAsText(payload) ? 'utf-8' : 'base64';
  const head = JSON.stringify({
    event: 'output',
    stream,
    position: positionAfter,
    offset,
    timeMicros,
    encoding,
  });
  const { before, after } = EVENT_FORMATS[format];
  let text = `${before('output', String(positionAfter))}${head.slice(0, -1)},"data":"`;
  for (const piece of encoding === 'utf-8' ? textPieces(payload) : base64Pieces(payload)) {
    yield text;
    text = piece;
  }
  yield `${text}"}${after}`;
}

function whole(format: EventFormat, name: EventName, id: string, body: object): string {
  const { before, after } = EVENT_FORMATS[format];
  return `${before(name, id)}${JSON.stringify(body)}${after}`;
}

function* base64Pieces(bytes: Uint8Array): Generator<string> {
  for (let at = 0; at < bytes.byteLength; at += PIECE_BYTES) {
    yield viewOf(bytes, at, at + PIECE_BYTES).toString('base64');
  }
}

function* textPieces(bytes: Uint8Array): Generator<string> {
  for (let at = 0; at < bytes.byteLength;) {
    const piece = viewOf(bytes, at, at + PIECE_BYTES);
    const wholeBytes = piece.byteLength - incompleteTailBytes(piece);
    yield JSON.stringify(piece.toString('utf8', 0, wholeBytes)).slice(1, -1);
    at += wholeBytes;
  }
}

function viewOf(bytes: Uint8Array, from: number, to: number): Buffer {
  const piece = bytes.subarray(from, to);
  return Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
}

/** What each byte below 128 takes in a JSON string. */
const JSON_BYTES = Array.from(
  { length: 128 },
  (_, code) => JSON.stringify(String.fromCharCode(code)).length - 2,
);

/** Escapes can make text six times as long. Base64 takes four bytes for three. */
function isBetterAsText(bytes: Uint8Array): boolean {
  if (!isUtf8(bytes)) return false;
  let length = 0;
  for (const byte of bytes) length += JSON_BYTES[byte] ?? 1;
  return length * 3 <= bytes.byteLength * 4 || length - bytes.byteLength < SHORT_BYTES;
}

/** Below this nobody minds, and a person may want to read it. */
const SHORT_BYTES = 1_024;
