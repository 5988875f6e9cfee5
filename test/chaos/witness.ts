import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { StreamName } from './expected-bytes.js';
import type { Installation } from './installation.js';
import { insistOn } from './pause.js';

/** What a program has noted of itself in the workspace's volume, read from the host's disk past Berth. */
export interface Testimony {
  readonly starts: number;
  /** When its process began. */
  readonly startedAtMs: number | undefined;
  /** When it was about to write its first byte. */
  readonly wroteAtMs: number | undefined;
  /** As it wrote it just before: `exit 3` or `signal SIGSEGV`. Undefined where it did not come to its end. */
  readonly end: string | undefined;
  readonly endedAtMs: number | undefined;
  /** What it has read from its standard input. */
  readonly stdin: Buffer;
  readonly sawEndOfStdin: boolean;
  /** Bytes that it has certainly written, and bytes that it may have written: a kill can fall into a write. */
  readonly written: Readonly<Record<StreamName, { readonly certainly: number; readonly atMost: number }>>;
}

/** Where the volumes of a sandbox lie on the disk of this machine. */
export interface SandboxDisk {
  readonly workspace: string;
  readonly spool: string;
}

/** The engine may be what is hurt just then, so it is asked again. */
export async function findDisk(installation: Installation, sandboxId: string): Promise<SandboxDisk> {
  const volumes = await insistOn(() => installation.engine.volumes(installation.instanceId));
  const find = (kind: string): string => {
    const found = volumes.find(
      ({ Labels }) => Labels?.['berth.sandbox'] === sandboxId && Labels['berth.kind'] === kind,
    );
    if (found === undefined) throw new Error(`The engine has no volume ${kind} of the sandbox ${sandboxId}.`);
    return found.Mountpoint;
  };
  return { workspace: find('workspace'), spool: find('spool') };
}

export function hearTestimony(disk: SandboxDisk, key: string): Testimony {
  const note = (ending: string): string => join(disk.workspace, '.chaos', `${key}.${ending}`);
  const lines = (ending: string): string[] => readText(note(ending)).split('\n').slice(0, -1);
  const [starts, end] = [lines('start'), lines('end')];
  return {
    starts: starts.length,
    startedAtMs: startOf(bornAt(note('start')), starts[0]),
    wroteAtMs: bornAt(note('written')),
    end: end.at(-1),
    endedAtMs: end.length === 0 ? undefined : statSync(note('end')).mtimeMs,
    stdin: readBytes(note('stdin')),
    sawEndOfStdin: lines('eof').length > 0,
    written: writtenOf(lines('written')),
  };
}

function writtenOf(lines: readonly string[]): Testimony['written'] {
  const written = { stdout: { certainly: 0, atMost: 0 }, stderr: { certainly: 0, atMost: 0 } };
  for (const line of lines) {
    const [mark, stream, bytes] = line.split(' ');
    const entry = written[stream === '1' ? 'stdout' : 'stderr'];
    if (mark === '>') entry.certainly = Number(bytes);
    entry.atMost = Math.max(entry.atMost, Number(bytes));
  }
  return written;
}

/** Of a process that noted its number and how many seconds old it was. */
function startOf(notedAtMs: number | undefined, noted: string | undefined): number | undefined {
  const ageSeconds = Number(noted?.split(' ')[1]);
  return notedAtMs === undefined || Number.isNaN(ageSeconds) ? undefined : notedAtMs - ageSeconds * 1_000;
}

function bornAt(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.birthtimeMs;
}

const readText = (path: string): string => readBytes(path).toString('utf8');

function readBytes(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0);
    throw error;
  }
}
