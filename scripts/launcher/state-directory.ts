import { createHash } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { SetupProblem } from './setup-problem.js';

/** The kernel's limit for the path of a unix socket is 108 bytes with the final NUL. */
const SOCKET_PATH_BYTES_MAX = 107;
/** Longest name of a socket below the socket directory: libnetwork's in the engine's exec-root. */
const SOCKET_NAME_BYTES_MAX = 'docker/exec/libnetwork/0123456789ab.sock'.length + 1;
const FREE_BYTES_MIN = 1024 ** 3;

/** Where everything of one instance lies. */
export interface StateDirectory {
  readonly root: string;
  /** Equal to `root`, or a short directory elsewhere if sockets below `root` would have too long a path. */
  readonly sockets: string;
  readonly logs: string;
  readonly runFile: string;
  readonly secretsFile: string;
}

export function layOutState(directory: string, cwd: string): StateDirectory {
  const root = resolve(cwd, directory);
  return {
    root,
    sockets: chooseSocketDirectory(root, tmpdir()),
    logs: join(root, 'logs'),
    runFile: join(root, 'run.json'),
    secretsFile: join(root, 'secrets.json'),
  };
}

export function chooseSocketDirectory(root: string, temporary: string): string {
  if (Buffer.byteLength(root) + SOCKET_NAME_BYTES_MAX <= SOCKET_PATH_BYTES_MAX) return root;
  return join(temporary, `berth-${createHash('sha256').update(root).digest('hex').slice(0, 12)}`);
}

/** Makes the directories, for this user alone, and refuses to start on a disk that is nearly full. */
export function prepareState(state: StateDirectory): void {
  for (const directory of new Set([state.root, state.sockets])) makePrivate(directory);
  mkdirSync(state.logs, { recursive: true, mode: 0o700 });
  assertFreeSpace(state.root);
}

export function assertFreeSpace(directory: string, freeBytesMin = FREE_BYTES_MIN): void {
  const { bavail, bsize } = statfsSync(directory);
  const freeBytes = bavail * bsize;
  if (freeBytes >= freeBytesMin) return;
  const mebibytes = (bytes: number): string => `${Math.floor(bytes / 1024 ** 2)} MiB`;
  throw new SetupProblem(
    `The disk of ${directory} has ${mebibytes(freeBytes)} left; Berth does not start with less than ${mebibytes(freeBytesMin)}.`,
    'a database on a full disk stops in the middle of its work.',
    'free some space (docker system df shows what images and volumes take), or choose another disk with --state-dir',
  );
}

function makePrivate(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const found = lstatSync(directory);
  // In a shared temporary directory somebody else may have been there first.
  if (!found.isDirectory() || (process.getuid !== undefined && found.uid !== process.getuid())) {
    throw new SetupProblem(
      `${directory} does not belong to this user.`,
      'it holds sockets and secrets of this instance.',
      'remove it, or choose another directory with --state-dir',
    );
  }
  chmodSync(directory, 0o700);
}
