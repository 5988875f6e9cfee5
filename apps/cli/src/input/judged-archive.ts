import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract, pack, type Extract, type Header, type Pack } from 'tar-stream';
import { CliError } from '../terminal/cli-error.js';

const ENTRIES_MAX = 1_000_000;
/** Setuid, setgid and sticky are nobody's to bring along. */
const PERMISSIONS = 0o777;

type Kind = 'file' | 'directory' | 'symlink';
const KINDS: Readonly<Record<string, Kind>> = {
  file: 'file',
  'contiguous-file': 'file',
  directory: 'directory',
  symlink: 'symlink',
  // Another name of a file that is there.
  link: 'file',
};

/**
 * The archive of a sandbox, written anew with nothing but what was judged, so that no `tar` of any machine reads something
 * else into it. It fails at the first entry that would lead out of the folder in which it is unpacked.
 */
export async function* judgedArchive(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const [archive, judged] = [extract(), pack()];
  const fed = pipeline(Readable.from(content, { objectMode: false }), inNode<Writable>(archive));
  const ended = Promise.all([fed, copyInto(judged, archive)]);
  ended.catch(() => {
    archive.destroy();
    judged.destroy();
  });
  try {
    for await (const piece of inNode<AsyncIterable<Uint8Array>>(judged)) yield piece;
    await ended;
  } catch (error) {
    // Whatever ended the output, the reason is why the archive could not be read to its end.
    throw await ended.then(
      () => error,
      (reason: unknown) => (reason instanceof CliError ? reason : brokenOff(reason)),
    );
  } finally {
    archive.destroy();
    judged.destroy();
  }
}

const brokenOff = (cause: unknown): CliError =>
  new CliError('What the sandbox sent broke off, or is no archive. Nothing of it was copied.', undefined, {
    cause,
  });

/** The library has streams of its own, which Node takes for its own. */
const inNode = <Stream>(stream: object): Stream => stream as Stream;

async function copyInto(judged: Pack, archive: Extract): Promise<void> {
  const judge = new EntryJudge();
  for await (const entry of archive) {
    const header = judge.admit(entry.header);
    const sink = judged.entry(header);
    if (header.type === 'file') await pipeline(inNode<Readable>(entry), inNode<Writable>(sink));
    else {
      entry.resume();
      inNode<Writable>(sink).end();
    }
  }
  judged.finalize();
}

/** What has come so far, and what may come after it. */
class EntryJudge {
  private readonly kinds = new Map<string, Kind>();
  /** As a file system takes them that does not tell capital letters from small ones. */
  private readonly links = new Set<string>();

  admit({ name, type, linkname, mode, mtime, size }: Header): Partial<Header> & Pick<Header, 'name'> {
    const kind = KINDS[type];
    if (kind === undefined) throw refused(name, `is a ${type}`);
    const path = inside(name, name);
    this.requireRoom(path, name, kind);
    this.kinds.set(path, kind);
    if (kind === 'symlink') this.links.add(folded(path));
    const plain = { name: path, mode: mode & PERMISSIONS, mtime };
    if (type === 'link') return { ...plain, type, linkname: this.known(linkname, name), size: 0 };
    if (kind === 'symlink') return { ...plain, type: kind, linkname, size: 0 };
    return kind === 'directory' ? { ...plain, type: kind, size: 0 } : { ...plain, type: kind, size };
  }

  private requireRoom(path: string, name: string, kind: Kind): void {
    if (this.kinds.size >= ENTRIES_MAX) throw refused(name, `comes after ${ENTRIES_MAX} others`);
    const before = this.kinds.get(path);
    if (before !== undefined && (before !== 'directory' || kind !== 'directory')) {
      throw refused(name, 'comes twice');
    }
    const names = path.split('/');
    for (let depth = 1; depth < names.length; depth++) {
      const folder = names.slice(0, depth).join('/');
      const isFolder = (this.kinds.get(folder) ?? 'directory') === 'directory';
      if (!isFolder || this.links.has(folded(folder))) throw refused(name, 'leads through what is no folder');
    }
    if (kind !== 'symlink' && this.links.has(folded(path))) throw refused(name, 'leads through a link');
  }

  private known(target: string, name: string): string {
    const path = inside(target, name);
    if (this.kinds.get(path) !== 'file') throw refused(name, 'is a second name of nothing');
    return path;
  }
}

/** A path in the folder, in its shortest form; `.` for the folder itself. */
function inside(path: string, name: string): string {
  const names = path.split('/').filter((one) => one !== '' && one !== '.');
  if (path.startsWith('/') || names.includes('..')) throw refused(name, 'leads out of the folder');
  return names.length === 0 ? '.' : names.join('/');
}

const folded = (path: string): string => path.normalize('NFKC').toLowerCase();

const refused = (name: string, why: string): CliError =>
  new CliError(
    `The sandbox sent an archive in which ${JSON.stringify(name)} ${why}. Nothing of it was copied.`,
  );
