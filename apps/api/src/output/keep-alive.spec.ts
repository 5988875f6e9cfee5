import { withKeepAlive } from './keep-alive.js';

const SILENCE_MS = 10;

describe('a stream that is silent', () => {
  it('says a word now and then, loses nothing, and ends when its source does', async () => {
    let speak: (text: string) => void = () => undefined;
    const spoken = new Promise<string>((resolve) => (speak = resolve));
    async function* source(): AsyncGenerator<string> {
      yield 'first';
      yield await spoken;
    }
    const heard: string[] = [];
    for await (const text of withKeepAlive(source(), '.', new AbortController().signal, SILENCE_MS)) {
      heard.push(text);
      if (heard.length === 3) speak('second');
    }
    expect(heard[0]).toBe('first');
    expect(heard.slice(1, 3)).toEqual(['.', '.']);
    expect(heard.at(-1)).toBe('second');
  });

  it('stops its source when it is left', async () => {
    let stopped = false;
    async function* source(): AsyncGenerator<string> {
      try {
        for (;;) yield await Promise.resolve('more');
      } finally {
        stopped = true;
      }
    }
    for await (const _text of withKeepAlive(source(), '.', new AbortController().signal)) break;
    expect(stopped).toBe(true);
  });

  it('ends when it is told to', async () => {
    const controller = new AbortController();
    async function* source(): AsyncGenerator<string> {
      await new Promise((resolve) => controller.signal.addEventListener('abort', resolve));
      yield 'late';
    }
    setTimeout(() => controller.abort(), SILENCE_MS);
    const heard: string[] = [];
    for await (const text of withKeepAlive(source(), '.', controller.signal)) heard.push(text);
    expect(heard).toEqual([]);
  });
});
