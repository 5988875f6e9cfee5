import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, type Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { pack, type Header } from 'tar-stream';
import { run } from '../program.js';
import { SmallApi } from '../testing/small-api.js';

const SANDBOX = '0190b0a0-0000-7000-8000-000000000001';

type Entries = readonly (readonly [Partial<Header> & Pick<Header, 'name'>, string?])[];

let around: string;
let archive: Buffer;
let api: SmallApi;

beforeEach(async () => {
  around = mkdtempSync(join(tmpdir(), 'berth-cp-'));
  mkdirSync(join(around, 'work'));
  writeFileSync(join(around, 'outside'), 'untouched');
  api = new SmallApi(
    () => undefined,
    ({ url = '' }) =>
      url.includes('/files/list') ? { status: 200, body: { items: [] } } : { status: 200, body: archive },
  );
  await api.start();
});
afterEach(async () => {
  await api.stop();
  rmSync(around, { recursive: true });
});

async function archiveOf(entries: Entries): Promise<Buffer> {
  const packed = pack();
  for (const [header, content = ''] of entries) packed.entry({ mode: 0o644, ...header }, content);
  packed.finalize();
  const pieces: Buffer[] = [];
  for await (const piece of packed as unknown as Readable) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

/** `berth cp` of a folder whose archive holds these, into a place that is not there yet. */
async function copied(entries: Entries): Promise<{ code: number; said: string }> {
  archive = await archiveOf(entries);
  return await copyOut();
}

async function copyOut(): Promise<{ code: number; said: string }> {
  const [out, err] = [new PassThrough(), new PassThrough()];
  const said = text(err);
  const local = {
    input: new PassThrough(),
    raw: () => () => undefined,
    size: () => undefined,
    onResize: () => () => undefined,
  };
  const asked = ['cp', `${SANDBOX}:folder`, join(around, 'work', 'copy')];
  const process = { out, err, local, onInterrupt: () => () => undefined };
  const code = await run(['--url', api.url, '--admin-secret', 'secret', ...asked], process);
  err.end();
  return { code, said: await said };
}

const LINK_OUT = { name: 'l', type: 'symlink', linkname: '../..' } as const;

describe('the archive of a sandbox', () => {
  it('is copied with its files, folders, links and second names, and without what gives rights', async () => {
    const { code, said } = await copied([
      [{ name: './', type: 'directory', mode: 0o755 }],
      [{ name: './bin/', type: 'directory', mode: 0o2755 }],
      [{ name: 'bin/tool', mode: 0o4755 }, 'tool'],
      [{ name: 'again', type: 'link', linkname: './bin/tool' }],
      [{ name: 'link', type: 'symlink', linkname: 'bin/tool' }],
      [{ name: `${'deep/'.repeat(60)}file` }, 'deep'],
    ]);
    expect([code, said]).toEqual([0, expect.stringContaining('copied')]);
    const copy = join(around, 'work', 'copy');
    expect(readFileSync(join(copy, 'again'), 'utf8')).toBe('tool');
    expect(readFileSync(join(copy, 'link'), 'utf8')).toBe('tool');
    expect(readFileSync(join(copy, 'deep/'.repeat(60), 'file'), 'utf8')).toBe('deep');
    expect(lstatSync(join(copy, 'bin/tool')).mode & 0o7777).toBe(0o755);
    expect(lstatSync(join(copy, 'bin')).mode & 0o6000).toBe(0);
  });

  it.each<[string, Entries]>([
    ['climbs', [[{ name: '../../outside' }, 'x']]],
    ['climbs later', [[{ name: 'a/../../../outside' }, 'x']]],
    ['is absolute', [[{ name: '/tmp/berth-absolute' }, 'x']]],
    ['goes through a link', [[LINK_OUT], [{ name: 'l/outside' }, 'x']]],
    ['goes through a link in other letters', [[LINK_OUT], [{ name: 'L/outside' }, 'x']]],
    [
      'replaces a folder by a link',
      [[{ name: 'l', type: 'directory' }], [LINK_OUT], [{ name: 'l/outside' }, 'x']],
    ],
    [
      'writes through a link of the same name',
      [[{ ...LINK_OUT, linkname: '../../outside' }], [{ name: 'l' }, 'x']],
    ],
    [
      'is a second name of a file outside',
      [[{ name: 'h', type: 'link', linkname: '../../outside' }], [{ name: 'h' }, 'x']],
    ],
    ['is a second name of a link', [[LINK_OUT], [{ name: 'h', type: 'link', linkname: 'l' }]]],
    ['is a device', [[{ name: 'd', type: 'character-device', devmajor: 1, devminor: 3 }]]],
    ['is a pipe', [[{ name: 'p', type: 'fifo' }]]],
  ])('leaves nothing at all where an entry of it %s', async (_what, entries) => {
    const { code, said } = await copied([[{ name: 'first' }, 'x'], ...entries]);
    expect([code, said]).toEqual([1, expect.stringContaining('Nothing of it was copied')]);
    expect(readdirSync(join(around, 'work'))).toEqual([]);
    expect(readFileSync(join(around, 'outside'), 'utf8')).toBe('untouched');
    expect(existsSync('/tmp/berth-absolute')).toBe(false);
  });

  it('leaves nothing where it is cut off, or is none', async () => {
    const whole = await archiveOf([[{ name: 'first' }, 'x'.repeat(10_000)]]);
    for (const broken of [whole.subarray(0, 5_000), Buffer.from('hello '.repeat(1_000))]) {
      archive = broken;
      const { code } = await copyOut();
      expect(code).toBe(1);
      expect(readdirSync(join(around, 'work'))).toEqual([]);
    }
  });
});
