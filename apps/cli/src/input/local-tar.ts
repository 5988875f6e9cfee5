import { spawn } from 'node:child_process';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import { judgedArchive } from './judged-archive.js';
import { CliError } from '../terminal/cli-error.js';

/** A local folder as a tar stream; it ends with an error where `tar` does. */
export async function* packed(folder: string): AsyncGenerator<Buffer> {
  const child = spawn('tar', ['-c', '-C', folder, '.'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = endOf(child);
  // Whoever reads hears of it below, when it has everything.
  ended.catch(() => undefined);
  for await (const piece of child.stdout as AsyncIterable<Buffer>) yield piece;
  await ended;
}

/** Makes files of a tar stream of a sandbox in a local folder that is there. It is not trusted. */
export async function unpack(content: ReadableStream<Uint8Array>, folder: string): Promise<void> {
  const args = ['-x', '--no-same-owner', '-C', folder];
  const child = spawn('tar', args, { stdio: ['pipe', 'ignore', 'inherit'] });
  const [fed, ended] = await Promise.allSettled([
    pipeline(judgedArchive(Readable.fromWeb(content)), child.stdin),
    endOf(child),
  ]);
  // A `tar` that has ended breaks its input off, and one whose input broke off ends: the first of the two is the reason.
  if (fed.status === 'rejected' && fed.reason instanceof CliError) throw fed.reason;
  if (ended.status === 'rejected') throw ended.reason;
  if (fed.status === 'rejected') throw fed.reason;
}

async function endOf(child: ReturnType<typeof spawn>): Promise<void> {
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', (error) =>
      reject(
        new CliError('Folders are copied with `tar`, which cannot be started.', undefined, { cause: error }),
      ),
    );
    child.once('close', resolve);
  });
  if (code !== 0) throw new CliError(`tar ended with ${code ?? 'a signal'}; see above.`);
}
