import { run } from './program.js';
import { processTerminal } from './terminal/local-terminal.js';

/** A reader that went away is seen by whoever writes next; without a listener it would end this program at once. */
function leaveToTheWriter(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
}

process.stdout.on('error', leaveToTheWriter);
process.stderr.on('error', leaveToTheWriter);

process.exitCode = await run(process.argv.slice(2), {
  out: process.stdout,
  err: process.stderr,
  local: processTerminal(process),
  onInterrupt(listener) {
    process.on('SIGINT', listener);
    return () => process.off('SIGINT', listener);
  },
});
