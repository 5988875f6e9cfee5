import { Argument, type Command } from 'commander';
import { z } from 'zod';
import { attach } from '../attach/attach.js';
import { detachByteOf, DETACH_KEY_DEFAULT } from '../attach/detach-key.js';
import { execPath } from '../exec/exec-path.js';
import { exitOf } from '../exec/run-exec.js';
import { appliedOf, feedStdin } from '../input/feed-stdin.js';
import { note, show } from '../terminal/terminal.js';
import type { Session } from './session.js';

const SentSchema = z.looseObject({ processGroup: z.number().int().nullable() });

/** What is said to an exec that runs already. */
export function addExecInputCommands(exec: Command, session: Session): void {
  exec
    .command('attach')
    .description('Shows the terminal of an exec from its beginning; with -i types into it, too.')
    .argument('<id>')
    .option('-i, --interactive', 'type, taking that from whoever does')
    .option('--detach-key <key>', 'leaves it to itself: ctrl-] unless given, or none')
    .action(async (id: string, options: { readonly interactive?: boolean; readonly detachKey?: string }) => {
      session.exitWith(await attachTo(session, id, options.interactive === true, options.detachKey));
    });
  exec
    .command('signal')
    .description('Sends a signal to the command, or to the foreground of its terminal.')
    .argument('<id>')
    .addArgument(new Argument('<signal>', 'such as SIGINT or INT').argParser(signalOf))
    .action(async (id: string, signal: string) => {
      const sent = await session.api().post(`${execPath(id)}/signal`, { signal }, SentSchema);
      await show(session.terminal(), sent, () => [
        sent.processGroup === null
          ? 'nobody was left to hear it'
          : `sent to process group ${sent.processGroup}`,
      ]);
    });
  exec
    .command('stdin')
    .description(
      'Sends what this command reads to the standard input of an exec, after what it has been given.',
    )
    .argument('<id>')
    .option('--open', 'leave the input open at the end')
    .action(async (id: string, options: { readonly open?: boolean }) => {
      await sendStdin(session, id, options.open !== true);
    });
}

/** The exit code for this process; 0 where the person has detached. */
export async function attachTo(
  session: Session,
  execId: string,
  writes: boolean,
  detachKey = DETACH_KEY_DEFAULT,
): Promise<number> {
  const context = session.execContext();
  const { config, terminal, local } = context;
  const stopped = new AbortController();
  // A raw terminal makes no interrupts of its own keys: this is for one that only looks.
  const stopListening = context.onInterrupt(() => stopped.abort());
  const detachByte = detachByteOf(detachKey);
  try {
    const options = { config, execId, terminal, local, writes, detachByte, signal: stopped.signal };
    const end = await attach(options);
    if (end) return exitOf(terminal, execId, { ...end, t: 'end' });
  } catch (error) {
    if (!stopped.signal.aborted) throw error;
  } finally {
    stopListening();
  }
  // The prompt of the far shell stands in this line.
  terminal.err.write('\n');
  note(terminal, `detached from exec ${execId}, which goes on; later: berth exec attach -i ${execId}`);
  return 0;
}

async function sendStdin(session: Session, execId: string, end: boolean): Promise<void> {
  const { api, local, terminal } = session.execContext();
  const { signal } = new AbortController();
  const offset = await appliedOf(api, execId);
  const appliedTo = await feedStdin({ api, execId, input: local.input, offset, end, signal });
  await show(terminal, { appliedTo }, () => [`the input has come to byte ${appliedTo}`]);
}

/** What the API does not know it refuses in its own words. */
function signalOf(text: string): string {
  const upper = text.toUpperCase();
  return upper.startsWith('SIG') ? upper : `SIG${upper}`;
}
