import { exactContent } from './exact-content.js';

async function read(pieces: readonly string[], length: number): Promise<string> {
  async function* content(): AsyncGenerator<Uint8Array> {
    for (const piece of pieces) yield await Promise.resolve(Buffer.from(piece));
  }
  let seen = '';
  for await (const bytes of exactContent(content(), length)) seen += Buffer.from(bytes).toString();
  return seen;
}

describe('content of an announced length', () => {
  it('is passed on as it is', async () => {
    expect(await read(['ab', 'c'], 3)).toBe('abc');
    expect(await read([], 0)).toBe('');
  });

  it.each([[['ab', 'c'], 2] as const, [['ab'], 3] as const, [['x'], 0] as const])(
    'breaks off where %j is not %d bytes',
    async (pieces, length) => {
      await expect(read(pieces, length)).rejects.toMatchObject({ code: 'runner_protocol' });
    },
  );
});
