import { PassThrough, Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ApiClient } from '../api/api-client.js';
import { SmallApi } from '../testing/small-api.js';
import { appliedOf, feedStdin } from './feed-stdin.js';

type Answer = { status: number; body: object };

let api: SmallApi;
let received: { offset: number; text: string; eof: boolean }[];
/** Answers before those that come by themselves. */
let answers: Answer[];

const refusal = (status: number, code: string, more: object = {}): Answer => ({
  status,
  body: { status, code, detail: code, ...more },
});

beforeEach(async () => {
  received = [];
  answers = [];
  api = new SmallApi(
    () => undefined,
    (request, text) => {
      const query = new URL(request.url ?? '', 'http://small').searchParams;
      const offset = Number(query.get('offset'));
      const refused = answers.shift();
      if (refused) return refused;
      received.push({ offset, text, eof: query.has('eof') });
      return { status: 200, body: { appliedTo: offset + text.length, eof: query.has('eof') } };
    },
  );
  await api.start();
});
afterEach(async () => await api.stop());

async function feed(input: Readable, more: { end?: boolean; signal?: AbortSignal } = {}): Promise<number> {
  const client = new ApiClient({ url: api.url, adminSecret: 'secret' });
  const signal = more.signal ?? AbortSignal.timeout(10_000);
  return await feedStdin({ api: client, execId: 'e1', input, offset: 0, end: more.end ?? true, signal });
}

describe('feeding standard input', () => {
  test('sends every piece at its offset, and the end', async () => {
    expect(await feed(Readable.from([Buffer.from('ab'), Buffer.from('cde')]))).toBe(5);
    expect(received.map(({ text }) => text).join('')).toBe('abcde');
    expect(received.at(-1)).toEqual({ offset: 5, text: '', eof: true });
    for (const { offset, text } of received) expect('abcde'.slice(offset, offset + text.length)).toBe(text);
  });

  test('sends what has come while a request was on its way as one, and no more than a request takes', async () => {
    const piece = 64 * 1_024;
    const pieces = Array.from({ length: 40 }, (_, index) => Buffer.alloc(piece, index));
    expect(await feed(Readable.from(pieces))).toBe(40 * piece);
    expect(received.map(({ text }) => text).join('')).toBe(Buffer.concat(pieces).toString());
    expect(received.length).toBeLessThan(pieces.length);
    expect(Math.max(...received.map(({ text }) => text.length))).toBeLessThanOrEqual(1_024 * 1_024);
  });

  test('sends again what was not taken: an outage, a command that is slow, one that does not run yet', async () => {
    answers = [
      refusal(503, 'dependency_unavailable'),
      refusal(429, 'stdin_full', { appliedTo: 1 }),
      refusal(409, 'invalid_state', { state: 'queued' }),
    ];
    expect(await feed(Readable.from([Buffer.from('ab')]), { end: false })).toBe(2);
    expect(received).toEqual([{ offset: 0, text: 'ab', eof: false }]);
  });

  test.each([refusal(409, 'stdin_closed'), refusal(409, 'invalid_state', { state: 'succeeded' })])(
    'stops where nobody takes it any more',
    async (answer) => {
      answers = [answer];
      expect(await feed(Readable.from([Buffer.from('ab'), Buffer.from('cd')]))).toBe(0);
      expect(received).toEqual([]);
    },
  );

  test('tells of what will not pass', async () => {
    answers = [refusal(403, 'forbidden')];
    await expect(feed(Readable.from([Buffer.from('ab')]))).rejects.toThrow('forbidden');
  });

  test('stops reading when the exec has ended', async () => {
    const over = new AbortController();
    const input = new PassThrough();
    const feeding = feed(input, { signal: over.signal });
    over.abort();
    expect(await feeding).toBe(0);
    expect(input.destroyed).toBe(true);
  });

  test('goes on where the input is', async () => {
    const client = new ApiClient({ url: api.url, adminSecret: 'secret' });
    answers = [{ status: 200, body: { appliedTo: 7, eof: false } }];
    expect(await appliedOf(client, 'e1')).toBe(7);
  });
});
