import { spawnSync } from 'node:child_process';
import type { Readable } from 'node:stream';

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** What a person sits at, or what stands in its place in a pipe. Tests pass their own. */
export interface LocalTerminal {
  readonly input: Readable;
  /** Keys come one by one, and nothing of them is shown or acted on here, until the returned function is called. */
  raw(): () => void;
  /** Undefined where there is none, as in a pipe, and where nobody has said it. */
  size(): Size | undefined;
  /** Calls back after each change until the returned function is called. */
  onResize(listener: () => void): () => void;
}

/**
 * Node's raw mode still turns a line feed into carriage return and line feed, but the far terminal has done that already,
 * and a program that draws means a line feed as it is. Without stty lines are as before and only drawings suffer. What was
 * before comes back with the raw mode's end.
 */
function leaveOutputAlone(): void {
  spawnSync('stty', ['-opost'], { stdio: ['inherit', 'ignore', 'ignore'] });
}

/** The terminal of this process. It is given back as it was however the process ends. */
export function processTerminal(process: NodeJS.Process): LocalTerminal {
  const { stdin, stdout } = process;
  return {
    input: stdin,
    raw() {
      if (!stdin.isTTY) return () => undefined;
      const restore = (): unknown => stdin.setRawMode(false);
      stdin.setRawMode(true);
      leaveOutputAlone();
      process.on('exit', restore);
      return () => {
        process.off('exit', restore);
        restore();
      };
    },
    size: () => sizeOf(stdout),
    onResize(listener) {
      stdout.on('resize', listener);
      return () => stdout.off('resize', listener);
    },
  };
}

/** A terminal that nobody has given a size says that it has none, which is not one of zero columns. */
function sizeOf({ isTTY, columns, rows }: NodeJS.WriteStream): Size | undefined {
  return isTTY && columns > 0 && rows > 0 ? { columns, rows } : undefined;
}
