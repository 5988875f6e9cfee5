import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { SmallTerminal } from '../testing/small-terminal.js';
import { attach } from './attach.js';
import { detachByteOf } from './detach-key.js';

const EVENTUAL_MS = 20_000;

let api: SmallTerminal;
let keys: PassThrough;
let shown: string;
let notes: string;
let isRaw: boolean;
let size: { columns: number; rows: number };
let onResize: () => void;

beforeEach(async () => {
  api = new SmallTerminal();
  await api.start();
  keys = new PassThrough();
  shown = '';
  notes = '';
  isRaw = false;
  size = { columns: 100, rows: 30 };
});
afterEach(async () => await api.stop());

function attached(writes = true) {
  const out = new PassThrough();
  const err = new PassThrough();
  out.on('data', (bytes: Buffer) => (shown += bytes.toString()));
  err.on('data', (bytes: Buffer) => (notes += bytes.toString()));
  return attach({
    config: { url: api.url, adminSecret: 'secret' },
    execId: 'e1',
    terminal: { out, err, json: false },
    local: {
      input: keys,
      raw: () => {
        isRaw = true;
        return () => (isRaw = false);
      },
      size: () => size,
      onResize: (listener) => {
        onResize = listener;
        return () => undefined;
      },
    },
    writes,
    detachByte: detachByteOf('ctrl-]'),
    signal: AbortSignal.timeout(2 * EVENTUAL_MS),
  });
}

async function until(condition: () => boolean): Promise<void> {
  for (const giveUpAt = Date.now() + EVENTUAL_MS; !condition();) {
    if (Date.now() > giveUpAt) throw new Error(`Never true: ${JSON.stringify({ shown, notes, api })}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe('an attached terminal', () => {
  test('hands on keys and sizes, shows what comes, and gives the terminal back at the end', async () => {
    const ending = attached();
    keys.write('ls\r');
    await until(() => api.input === 'ls\r');
    expect(isRaw).toBe(true);
    expect(api.sizes).toEqual(['100x30']);
    size = { columns: 60, rows: 20 };
    onResize();
    await until(() => api.sizes.length === 2);
    api.show('file\r\n');
    api.end(3);
    expect(await ending).toMatchObject({ exitCode: 3 });
    expect([shown, isRaw]).toEqual(['file\r\n', false]);
  });

  test('comes again with its position and what was not acknowledged, and types nothing twice', async () => {
    api.muteAfter = 3;
    const ending = attached();
    keys.write('one');
    await until(() => api.input === 'one');
    api.show('first ');
    await until(() => shown === 'first ');
    keys.write(' two');
    await until(() => api.input === 'one two');
    api.muteAfter = Infinity;
    api.cut();
    keys.write(' three');
    await until(() => api.input === 'one two three');
    api.show('second');
    await until(() => shown === 'first second');
    api.end(0);
    await ending;
    expect(api.dials.map(({ after }) => after)).toEqual([0, 6]);
    expect(new Set(api.dials.map(({ writer }) => writer)).size).toBe(1);
    expect(notes).toContain('reconnecting');
  });

  test('leaves at the detach key, with what was typed before it', async () => {
    const ending = attached();
    await until(() => api.sizes.length === 1);
    keys.write('x\x1dy');
    expect(await ending).toBeUndefined();
    expect(isRaw).toBe(false);
    await until(() => api.input === 'x');
  });

  test('only looks on when somebody else has taken the input', async () => {
    const ending = attached();
    await until(() => api.sizes.length === 1);
    api.takenBy('another');
    await until(() => notes.includes('somebody else types'));
    keys.write('into nothing');
    api.show('theirs');
    await until(() => shown === 'theirs');
    api.end(0);
    await ending;
    expect(api.input).toBe('');
  });

  test('that only looks has no name and takes no keys', async () => {
    const ending = attached(false);
    await until(() => api.dials.length === 1);
    keys.write('nothing');
    api.end(0);
    await ending;
    expect(api.dials).toEqual([{ after: 0, writer: null }]);
    expect(api.input).toBe('');
  });

  test('ends the input of a pipe with the character for it', async () => {
    const ending = attached();
    keys.end('exit\n');
    await until(() => api.input === 'exit\n\x04');
    api.end(0);
    await ending;
  });

  test.each([
    ['ctrl-]', 0x1d],
    ['ctrl-a', 1],
    ['ctrl-@', 0],
    ['none', null],
  ])('knows the key %s', (name, byte) => expect(detachByteOf(name)).toBe(byte));

  test('knows no other keys', () => expect(() => detachByteOf('escape')).toThrow('Give a key'));
});
