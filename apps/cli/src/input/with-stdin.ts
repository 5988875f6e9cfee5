import type { ExecContext } from '../exec/run-exec.js';
import { note } from '../terminal/terminal.js';
import { feedStdin } from './feed-stdin.js';

/** Gives an exec what this process reads while `follow` shows what it writes. The end of the exec ends the reading. */
export async function withStdin<Result>(
  { api, local, terminal }: ExecContext,
  execId: string,
  follow: () => Promise<Result>,
): Promise<Result> {
  const over = new AbortController();
  const options = { api, execId, input: local.input, offset: 0, end: true, signal: over.signal };
  const feeding = feedStdin(options).catch((error: unknown) => {
    note(terminal, `standard input was not sent: ${error instanceof Error ? error.message : String(error)}`);
  });
  try {
    return await follow();
  } finally {
    over.abort();
    local.input.destroy();
    await feeding;
  }
}
