import { guardedStream } from './guarded-stream.js';

const SILENCE_MS = 20;

describe('the stream of an object', () => {
  let ends = 0;
  const guard = (contentLength: number) => ({
    contentLength,
    silenceMs: SILENCE_MS,
    signal: undefined,
    end: () => void (ends += 1),
  });
  beforeEach(() => (ends = 0));

  it('is what came, and ends once', async () => {
    expect(await read(guardedStream(parts('ab', 'c'), guard(3)))).toBe('abc');
    expect(ends).toBe(1);
  });

  it('never passes for a shorter object when the storage breaks off', async () => {
    await expect(read(guardedStream(parts('ab'), guard(3)))).rejects.toMatchObject({
      code: 'dependency_unavailable',
      dependency: 's3',
    });
    expect(ends).toBe(1);
  });

  it('gives up a storage that falls silent', async () => {
    const silent = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => undefined) }) };
    await expect(read(guardedStream(silent, guard(3)))).rejects.toMatchObject({
      code: 'dependency_unavailable',
    });
    expect(ends).toBe(1);
  });

  it('waits for a slow reader as long as that takes', async () => {
    const stream = guardedStream(parts('ab', 'c'), guard(3));
    await stream.next();
    await new Promise((wake) => setTimeout(wake, 3 * SILENCE_MS));
    expect((await stream.next()).value).toEqual(Buffer.from('c'));
  });

  it('lets a reader leave', async () => {
    const stream = guardedStream(parts('ab', 'c'), guard(3));
    await stream.next();
    await stream.return(undefined);
    expect(ends).toBe(1);
  });
});

async function* parts(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

async function read(stream: AsyncIterable<Uint8Array>): Promise<string> {
  let text = '';
  for await (const part of stream) text += Buffer.from(part).toString();
  return text;
}
