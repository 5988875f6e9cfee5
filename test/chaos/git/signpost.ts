import { appendFileSync, readFileSync } from 'node:fs';
import { initsOf } from '../inits.js';
import { pause } from '../pause.js';

const LOOK_MS = 250;

/**
 * Writes into each sandbox where a name is: on the machine, as the sandbox reaches it. The engine makes that file anew with
 * each start of a container, so it is looked at again and again. Until then the name is not known there, which is one fault more.
 */
export async function keepSignposts(
  sandboxIds: ReadonlySet<string>,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  for (; !signal.aborted; await pause(LOOK_MS, signal)) {
    for (const pids of initsOf(sandboxIds).values()) for (const pid of pids) point(pid, name);
  }
}

function point(pid: number, name: string): void {
  const hosts = `/proc/${pid}/root/etc/hosts`;
  try {
    if (readFileSync(hosts, 'utf8').includes(name)) return;
    const gateway = gatewayOf(readFileSync(`/proc/${pid}/net/route`, 'utf8'));
    if (gateway !== undefined) appendFileSync(hosts, `${gateway} ${name}\n`);
  } catch (error) {
    // It has ended since it was found.
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ESRCH' && code !== 'EACCES') throw error;
  }
}

/** The kernel writes addresses in hexadecimal, the last byte first. */
function gatewayOf(routes: string): string | undefined {
  const whole = routes.split('\n').find((line) => line.split('\t')[1] === '00000000');
  const bytes = whole?.split('\t')[2]?.match(/../g);
  return bytes
    ?.toReversed()
    .map((byte) => Number.parseInt(byte, 16))
    .join('.');
}
