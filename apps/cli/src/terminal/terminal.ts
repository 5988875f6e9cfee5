import { once } from 'node:events';
import type { Writable } from 'node:stream';

/** Where a command writes to: results and remote stdout to `out`, notes and remote stderr to `err`. Tests pass their own. */
export interface Terminal {
  readonly out: Writable;
  readonly err: Writable;
  readonly json: boolean;
}

/** The reader went away, as `head` does when it has enough. */
export class OutputClosedError extends Error {
  override readonly name = 'OutputClosedError';
}

/** Waits while the reader is slow, so that nothing piles up here. */
export async function write(stream: Writable, bytes: Uint8Array | string): Promise<void> {
  if (stream.destroyed || stream.errored) throw new OutputClosedError('Nobody reads the output.');
  if (stream.write(bytes)) return;
  try {
    await once(stream, 'drain');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error;
    throw new OutputClosedError('Nobody reads the output.', { cause: error });
  }
}

export function note(terminal: Terminal, text: string): void {
  terminal.err.write(`berth: ${text}\n`);
}

/** The whole value with `--json`, otherwise the lines that a person wants. */
export async function show(
  terminal: Terminal,
  value: unknown,
  lines: () => readonly string[],
): Promise<void> {
  const text = terminal.json ? JSON.stringify(value, undefined, 2) : lines().join('\n');
  await write(terminal.out, `${text}\n`);
}

/** Columns as wide as their widest cell; the last one is not padded. */
export function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  return all.map((row) =>
    row
      .map((cell, column) => (column === head.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}
