import { sandboxId } from '#domain';
import { readEvent } from './container-events.js';
import { engineAddress } from './engine-address.js';
import { isImageReference, parseImageReference } from './image-reference.js';
import { jsonLines } from './json-lines.js';
import { ResourceNames } from './names.js';
import { readBytes } from './stream-bytes.js';
import { firstFileOf, tarOf } from './tar-file.js';

const SANDBOX = sandboxId('0199aaaa-bbbb-7ccc-8ddd-eeeeffff0001');

describe('an image reference', () => {
  it.each([
    ['alpine', 'alpine', 'latest', false],
    ['berth/base:bookworm-1', 'berth/base', 'bookworm-1', false],
    ['ghcr.io/a/b:1', 'ghcr.io/a/b', '1', true],
    ['localhost/a', 'localhost/a', 'latest', true],
    ['registry:5000/a', 'registry:5000/a', 'latest', true],
    ['registry:5000/a@sha256:00ff', 'registry:5000/a', 'sha256:00ff', true],
    ['a.b', 'a.b', 'latest', false],
  ])('%s is %s with %s', (reference, name, tag, namesRegistry) => {
    expect(isImageReference(reference.replace('00ff', '0f'.repeat(32)))).toBe(true);
    expect(parseImageReference(reference)).toEqual({ name, tag, namesRegistry });
  });

  it.each([
    '',
    'NOT AN IMAGE',
    '../containers',
    'a/../b',
    'a//b',
    '/a',
    'a?b=c',
    'a#b',
    'a%2fb',
    'a:b:c',
    'x'.repeat(513),
  ])('is not "%s"', (text) => expect(isImageReference(text)).toBe(false));
});

describe('an address of an engine', () => {
  it('is a socket or a host, and a socket never a host of the environment', () => {
    expect(engineAddress('unix:///run/d.sock')).toEqual({
      socketPath: '/run/d.sock',
      host: undefined,
      protocol: 'http',
    });
    expect(engineAddress('tcp://h:2375')).toMatchObject({ host: 'h', port: '2375', protocol: 'http' });
    expect(engineAddress('tcp://h:2376')).toMatchObject({ protocol: 'https' });
    expect(engineAddress('ssh://u@h')).toMatchObject({ protocol: 'ssh', username: 'u', port: '22' });
    expect(() => engineAddress('ftp://h')).toThrow(TypeError);
  });
});

describe('lines of JSON', () => {
  const text = '{"a":"ä"}\r\n\n{"b":2}\n';
  const whole = Buffer.from(text);

  it('come out the same however the stream is cut', async () => {
    for (let size = 1; size <= whole.length; size++) {
      expect(await collect(pieces(whole, size))).toEqual([{ a: 'ä' }, { b: 2 }]);
    }
  });

  it('refuse what is not JSON, what is cut off and what has no end', async () => {
    await expect(collect(pieces(Buffer.from('nonsense\n'), 4))).rejects.toThrow(SyntaxError);
    await expect(collect(pieces(Buffer.from('{"a":'), 4))).rejects.toThrow(SyntaxError);
    await expect(collect(pieces(Buffer.alloc(2_097_152, 'x'), 65_536))).rejects.toThrow(RangeError);
  });
});

describe('the bytes of a stream', () => {
  it('are bounded', async () => {
    const bytes = Buffer.from('0123456789');
    expect(await readBytes(pieces(bytes, 3), 10)).toEqual(bytes);
    await expect(readBytes(pieces(bytes, 3), 9)).rejects.toThrow(RangeError);
  });
});

describe('a tar archive', () => {
  it.each([0, 1, 511, 512, 513, 100_000])('gives back the %d bytes that it was made of', (size) => {
    const content = Buffer.alloc(size, 7);
    const archive = tarOf([{ name: 'runner', mode: 0o755, content }]);
    expect(archive.length % 512).toBe(0);
    expect(firstFileOf(archive)).toEqual(content);
  });

  it('is nothing where it is cut off or holds no file', () => {
    const archive = tarOf([{ name: 'runner', mode: 0o755, content: Buffer.alloc(1_000, 7) }]);
    expect(firstFileOf(archive.subarray(0, 1_400))).toBeUndefined();
    expect(firstFileOf(Buffer.alloc(100))).toBeUndefined();
  });
});

describe('an event', () => {
  const names = new ResourceNames('dev');
  const attributes = {
    name: names.container({ sandboxId: SANDBOX, generation: 2 }),
    'berth.instance': 'dev',
    'berth.sandbox': SANDBOX,
    'berth.generation': '2',
  };
  const event = (changes: object): object => ({
    Action: 'die',
    Actor: { Attributes: { ...attributes, ...changes } },
  });

  it('is about a sandbox when name and labels agree', () => {
    expect(readEvent(event({}), names)).toEqual({
      action: 'die',
      ref: { sandboxId: SANDBOX, generation: 2 },
    });
  });

  it.each([
    ['another instance', event({ 'berth.instance': 'other' })],
    ['a name that is not ours', event({ name: 'innocent' })],
    ['a generation that is no number', event({ 'berth.generation': 'x' })],
    ['a sandbox id that is none', event({ 'berth.sandbox': '../x' })],
    ['no attributes', { Action: 'die', Actor: {} }],
    ['no object', 'die'],
    ['nothing', null],
  ])('is nothing to us with %s', (_name, line) => {
    expect(readEvent(line, names)).toBeUndefined();
  });
});

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function collect(stream: AsyncIterable<Buffer>): Promise<unknown[]> {
  const lines: unknown[] = [];
  for await (const line of jsonLines(stream)) lines.push(line);
  return lines;
}
