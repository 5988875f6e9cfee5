import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { beforeAll, describe, expect, it, jest } from '@jest/globals';
import { runningStack } from '../stack/running-stack.js';
import { call, output, run, sandboxOf, secretHeader } from './api-client.js';
import { berth } from './berth-cli.js';
import { killAndAwaitNew } from './processes.js';

jest.setTimeout(120_000);

interface FileBody {
  readonly kind: string;
  readonly bytes: number;
  readonly etag: string;
}
interface UploadBody {
  readonly id: string;
  readonly appliedTo: number;
  readonly file: FileBody | null;
  readonly links: { readonly self: string };
}

const PIECE_BYTES = 1_024 * 1_024;
let sandbox: string;

beforeAll(async () => {
  sandbox = await sandboxOf(`files-${randomUUID().slice(0, 8)}`);
});

async function ask(
  method: string,
  path: string,
  body?: Buffer | ReadableStream,
  headers: Record<string, string> = {},
) {
  const response = await fetch(new URL(path, runningStack().apiUrl), {
    method,
    headers: { ...secretHeader(), ...headers },
    ...(body === undefined
      ? {}
      : { body: body instanceof Buffer ? new Uint8Array(body) : body, duplex: 'half' }),
  } as RequestInit);
  const bytes = Buffer.from(await response.arrayBuffer());
  const isJson = response.headers.get('content-type')?.includes('json') ?? false;
  const json = (isJson ? JSON.parse(bytes.toString()) : {}) as Record<string, unknown>;
  return { status: response.status, headers: response.headers, bytes, json };
}

const at = (what: string, path: string): string =>
  `/v1/sandboxes/${sandbox}/files${what}?path=${encodeURIComponent(path)}`;
const put = async (path: string, text: string | Buffer, headers = {}) =>
  await ask('PUT', at('', path), Buffer.from(text), headers);
const shell = async (command: string): Promise<string> =>
  (await output((await run(sandbox, { command })).id)).toString();

async function begin(body: object): Promise<UploadBody> {
  const begun = await call<UploadBody>('POST', `/v1/sandboxes/${sandbox}/files/uploads`, { body });
  expect([begun.status, begun.body]).toEqual([201, expect.anything()]);
  return begun.body;
}

const send = async ({ links }: UploadBody, offset: number, bytes: Buffer, eof = false) =>
  await ask('PUT', `${links.self}?offset=${offset}${eof ? '&eof=1' : ''}`, bytes);

async function sendAll(upload: UploadBody, whole: Buffer) {
  for (let offset = 0; ; offset += PIECE_BYTES) {
    const isLast = offset + PIECE_BYTES >= whole.byteLength;
    const sent = await send(upload, offset, whole.subarray(offset, offset + PIECE_BYTES), isLast);
    if (isLast || sent.status !== 200) return sent;
  }
}

describe('the files of a sandbox', () => {
  it('are written as the user of its commands, read, listed and removed', async () => {
    const content = randomBytes(300_000);
    const written = await put('/workspace/src/deep/ä b', content);
    expect(written).toMatchObject({ status: 200, json: { kind: 'file', bytes: 300_000 } });
    expect(await shell('stat -c "%U %a" "src/deep/ä b"; id -un')).toMatch(/^(\S+) 644\n\1\n$/);
    const read = await ask('GET', at('', 'src/deep/ä b'));
    expect(read.bytes.equals(content)).toBe(true);
    expect(read.headers.get('etag')).toBe(written.headers.get('etag'));
    await put('src/empty', '');
    expect((await ask('GET', at('', 'src/empty'))).bytes.byteLength).toBe(0);
    const first = await ask('GET', `${at('/list', 'src')}&limit=1`);
    expect(first.json).toMatchObject({ items: [{ name: 'deep', kind: 'folder' }] });
    const next = await ask('GET', `${at('/list', 'src')}&cursor=${String(first.json['nextCursor'])}`);
    expect(next.json).toMatchObject({ items: [{ name: 'empty', kind: 'file' }], nextCursor: null });
    expect(await ask('DELETE', at('', 'src'))).toMatchObject({
      status: 409,
      json: { code: 'invalid_state' },
    });
    expect((await ask('DELETE', `${at('', 'src')}&recursive=1`)).status).toBe(200);
    expect(await ask('GET', at('', 'src/empty'))).toMatchObject({ status: 404, json: { code: 'not_found' } });
  });

  it('take content of any length as it comes, or leave what was there where it breaks off', async () => {
    const whole = randomBytes(5 * PIECE_BYTES + 3);
    expect(await put('streamed', whole)).toMatchObject({ status: 200, json: { bytes: whole.byteLength } });
    expect((await ask('GET', at('', 'streamed'))).bytes.equals(whole)).toBe(true);
    // What is refused is refused before all of it has come.
    expect(await put('streamed', whole, { 'if-none-match': '*' })).toMatchObject({
      status: 412,
      json: { code: 'precondition_failed' },
    });
    const broken = new ReadableStream({
      start: (controller) => controller.enqueue(new Uint8Array(whole.subarray(0, PIECE_BYTES))),
      pull: (controller) => controller.error(new Error('The client has died.')),
    });
    const cut = ask('PUT', at('', 'streamed'), broken);
    await expect(cut).rejects.toThrow('fetch failed');
    expect((await ask('GET', at('', 'streamed'))).bytes.equals(whole)).toBe(true);
    expect(
      await shell('rm streamed; until ! ls -A | grep berth-upload; do sleep 0.05; done; ls -A'),
    ).not.toContain('streamed');
  });

  it('are read in parts, and not again where they have not changed', async () => {
    const etag = (await put('parts', '0123456789')).headers.get('etag') ?? '';
    const read = async (headers: Record<string, string>) =>
      await ask('GET', at('', 'parts'), undefined, headers);
    const part = await read({ range: 'bytes=2-4' });
    expect([part.status, part.bytes.toString(), part.headers.get('content-range')]).toEqual([
      206,
      '234',
      'bytes 2-4/10',
    ]);
    expect((await read({ range: 'bytes=-3', 'if-range': etag })).bytes.toString()).toBe('789');
    expect(await read({ range: 'bytes=-3', 'if-range': '"other"' })).toMatchObject({ status: 200 });
    expect(await read({ range: 'bytes=10-' })).toMatchObject({
      status: 416,
      json: { code: 'range_not_satisfiable', totalBytes: 10 },
    });
    const known = await read({ 'if-none-match': `"other", W/${etag}` });
    expect([known.status, known.bytes.byteLength, known.headers.get('etag')]).toEqual([304, 0, etag]);
    expect((await read({ 'if-none-match': '"other"' })).bytes.toString()).toBe('0123456789');
    await shell('rm parts');
  });

  it('begin one upload under one key, and no other', async () => {
    const headers = { 'idempotency-key': randomUUID(), 'content-type': 'application/json' };
    const post = async (path: string) =>
      await ask(
        'POST',
        `/v1/sandboxes/${sandbox}/files/uploads`,
        Buffer.from(JSON.stringify({ path })),
        headers,
      );
    const first = await post('keyed');
    expect([first.status, (await post('keyed')).json['id']]).toEqual([201, first.json['id']]);
    expect(await post('other')).toMatchObject({ status: 422, json: { code: 'idempotency_key_reused' } });
    await ask('DELETE', (first.json['links'] as UploadBody['links']).self);
  });

  it('are replaced only as they were seen', async () => {
    const first = (await put('seen', '1', { 'if-none-match': '*' })).headers.get('etag') ?? '';
    expect(await put('seen', '2', { 'if-none-match': '*' })).toMatchObject({
      status: 412,
      json: { code: 'precondition_failed' },
    });
    expect((await put('seen', '2', { 'if-match': first })).status).toBe(200);
    expect((await put('seen', '3', { 'if-match': first })).status).toBe(412);
    expect((await ask('DELETE', at('', 'seen'), undefined, { 'if-match': first })).status).toBe(412);
    expect((await ask('GET', at('', 'seen'))).bytes.toString()).toBe('2');
  });

  it('are those of the workspace alone, however a path or a link is written', async () => {
    const raw = [
      '../../etc/shadow',
      '/etc/shadow',
      '..%2f..%2fetc%2fshadow',
      '%252e%252e/x',
      '..%5Cx',
      'a%00',
    ];
    for (const path of [...raw, '%ff', 'x'.repeat(5_000)]) {
      const refused = await ask('GET', `/v1/sandboxes/${sandbox}/files?path=${path}`);
      expect(refused).toMatchObject({ status: 400, json: { code: 'path_invalid' } });
    }
    await shell(
      'ln -s /etc/passwd out; ln -s / root; ln -s ../../berth/spool spool; mkfifo pipe; ln -s pipe to-pipe',
    );
    for (const path of ['out', 'root/etc/passwd', 'spool/runner.sock']) {
      expect(await ask('GET', at('', path))).toMatchObject({ status: 400, json: { code: 'path_invalid' } });
    }
    for (const path of ['root/tmp/x', 'spool/x']) {
      expect(await put(path, 'x')).toMatchObject({ status: 400, json: { code: 'path_invalid' } });
    }
    for (const path of ['pipe', 'to-pipe']) {
      expect(await ask('GET', at('', path))).toMatchObject({ status: 409, json: { code: 'invalid_state' } });
    }
    await put('closed', 'x');
    await shell('chmod 000 closed');
    expect(await ask('GET', at('', 'closed'))).toMatchObject({ status: 403, json: { code: 'forbidden' } });
    await shell('rm -f out root spool pipe to-pipe closed');
  });

  it('come in pieces, each byte once, and are there when all of them are', async () => {
    const whole = randomBytes(3 * PIECE_BYTES + 7);
    const upload = await begin({ path: 'large' });
    const half = whole.subarray(0, PIECE_BYTES);
    expect((await send(upload, 0, half)).json).toMatchObject({ appliedTo: PIECE_BYTES, file: null });
    expect((await send(upload, 0, half)).json).toMatchObject({ appliedTo: PIECE_BYTES });
    expect(await send(upload, 2 * PIECE_BYTES, half)).toMatchObject({
      status: 409,
      json: { code: 'stdin_gap', appliedTo: PIECE_BYTES },
    });
    expect((await ask('GET', at('', 'large'))).status).toBe(404);
    const done = await sendAll(upload, whole);
    expect(done).toMatchObject({ status: 200, json: { file: { bytes: whole.byteLength } } });
    // An answer that was lost is asked for again.
    const again = await send(upload, 3 * PIECE_BYTES, whole.subarray(3 * PIECE_BYTES), true);
    expect(again.json).toMatchObject({ file: { etag: (done.json['file'] as FileBody).etag } });
    const read = await ask('GET', at('', 'large'));
    expect(createHash('sha256').update(read.bytes).digest('hex')).toBe(
      createHash('sha256').update(whole).digest('hex'),
    );
    const left = await begin({ path: 'left' });
    await send(left, 0, half);
    expect((await ask('DELETE', left.links.self)).status).toBe(200);
    expect((await send(left, PIECE_BYTES, half)).status).toBe(404);
    expect(await shell('ls -A | grep -e left -e berth-upload')).toBe('');
  });

  it('go on where an upload has come to, when the worker that took it was killed', async () => {
    const whole = randomBytes(3 * PIECE_BYTES + 7);
    const upload = await begin({ path: 'survivor' });
    const applied = async () => {
      const asked = await send(upload, 0, Buffer.alloc(0));
      return asked.status === 200 ? Number(asked.json['appliedTo']) : undefined;
    };
    // One piece, whose end never comes, so that it is on its way whenever the kill is.
    const endless = new ReadableStream({
      start: (controller) => controller.enqueue(new Uint8Array(whole.subarray(0, PIECE_BYTES + 99))),
    });
    const sending = ask('PUT', `${upload.links.self}?offset=0`, endless);
    while ((await applied()) !== PIECE_BYTES) await setImmediate();
    const [cut] = await Promise.all([sending, killAndAwaitNew('worker')]);
    expect(cut).toMatchObject({ status: 503, json: { code: 'dependency_unavailable' } });
    let from = await applied();
    while (from === undefined) from = await applied();
    expect(from).toBe(PIECE_BYTES);
    expect(await shell('ls -A | grep -e survivor -e berth-upload')).toBe('');
    expect((await send(upload, from, whole.subarray(from), true)).json).toMatchObject({
      file: { bytes: whole.byteLength },
    });
    expect((await ask('GET', at('', 'survivor'))).bytes.equals(whole)).toBe(true);
    await shell('rm survivor');
  });

  it('go out and come back as an archive, all of it or nothing', async () => {
    await shell('mkdir -p tree/sub && echo content > tree/sub/file && ln -s sub/file tree/link');
    const packed = (await ask('GET', at('/archive', 'tree'))).bytes;
    const copied = await sendAll(await begin({ path: 'copy', kind: 'archive' }), packed);
    expect(copied).toMatchObject({ status: 200, json: { file: { kind: 'folder' } } });
    expect(await shell('cat copy/link && diff -r tree copy && echo same')).toBe('content\nsame\n');
    const cut = await sendAll(await begin({ path: 'cut', kind: 'archive' }), packed.subarray(0, 700));
    expect(cut).toMatchObject({ status: 422, json: { code: 'archive_refused' } });
    expect(await shell('ls -A | grep -e cut -e berth-upload')).toBe('');
  });

  it('are copied by the command line, files and folders, in and out', async () => {
    const local = await mkdtemp(join(tmpdir(), 'berth-cp-'));
    try {
      const content = randomBytes(2 * PIECE_BYTES + 1);
      await mkdir(join(local, 'from/sub'), { recursive: true });
      await writeFile(join(local, 'from/sub/file'), content);
      const copies = [
        [join(local, 'from'), `${sandbox}:there`],
        [`${sandbox}:there`, join(local, 'back')],
        [join(local, 'from/sub/file'), `${sandbox}:one/`],
        [`${sandbox}:one/file`, join(local, 'one')],
      ] as const;
      for (const [from, to] of copies) {
        const { exitCode, stderr } = await berth('cp', from, to);
        expect([exitCode, stderr.toString()]).toEqual([0, expect.stringContaining('copied')]);
      }
      for (const path of ['back/sub/file', 'one']) {
        expect((await readFile(join(local, path))).equals(content)).toBe(true);
      }
      const again = await berth('cp', `${sandbox}:there`, join(local, 'back', 'sub'));
      expect(again.exitCode).toBe(0);
      expect(await readdir(join(local, 'back/sub'))).toEqual(['file', 'there']);
      const second = await berth('cp', `${sandbox}:there`, join(local, 'back', 'sub'));
      expect([second.exitCode, second.stderr.toString()]).toEqual([1, expect.stringContaining('already')]);
      const refused = await berth('cp', join(local, 'from'), `${sandbox}:there`);
      expect([refused.exitCode, refused.stderr.toString()]).toEqual([
        1,
        expect.stringContaining('invalid_state'),
      ]);
    } finally {
      await rm(local, { recursive: true });
    }
  });

  it('are refused at once where the sandbox does not run', async () => {
    const stopped = await sandboxOf(`files-stopped-${randomUUID().slice(0, 8)}`);
    const stop = call('POST', `/v1/sandboxes/${stopped}/stop?wait=60`);
    // While it dies it takes a file, or does not, until it is known to run no more.
    let status = 200;
    while (status !== 409) {
      ({ status } = await ask('PUT', `/v1/sandboxes/${stopped}/files?path=x`, Buffer.from('x')));
      expect([200, 409, 503]).toContain(status);
    }
    await stop;
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const path = `/v1/sandboxes/${stopped}/files?path=x`;
      expect(await ask(method, path)).toMatchObject({ status: 409, json: { code: 'invalid_state' } });
    }
  });
});
