import { run } from './program.js';

const EXIT_OUTPUT_CLOSED = 141;

/** A reader that went away, as `head` does, ends this program and not the exec. */
function endWhenUnread(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
  process.exit(EXIT_OUTPUT_CLOSED);
}

process.stdout.on('error', endWhenUnread);
process.stderr.on('error', endWhenUnread);

process.exitCode = await run(process.argv.slice(2), {
  out: process.stdout,
  err: process.stderr,
  onInterrupt(listener) {
    process.on('SIGINT', listener);
    return () => process.off('SIGINT', listener);
  },
});
