import type { Client } from './client.js';
import { ExpectedStream } from './expected-bytes.js';
import { pause } from './pause.js';
import type { Program } from './programs.js';
import type { Random } from './random.js';

const PIECE_BYTES_MAX = 64 * 1_024;
const RETRY_MS = 300;
const AGAIN_CHANCE = 0.15;
const TOO_EARLY = 404;
const CONFLICT = 409;
const LATER = 429;

/** What a refusal says of itself. */
interface Refusal {
  readonly code?: string;
  readonly appliedTo?: number;
}

/**
 * Sends the input of an exec piece by piece until all of it is applied or the exec has ended. What got no answer is sent
 * again, and now and then also what got one: the program must see each byte once.
 */
export async function writeStdin(
  client: Client,
  target: { readonly program: Program; readonly execId: string },
  random: Random,
  ended: AbortSignal,
): Promise<string[]> {
  const { program, execId } = target;
  const total = program.stdinBytes ?? 0;
  const stream = new ExpectedStream(program.seed, 'stdin', program.isText);
  let at = 0;
  for (let isOver = false; !isOver && !ended.aborted;) {
    const from = random.chance(AGAIN_CHANCE) ? random.integer(Math.max(0, at - PIECE_BYTES_MAX), at) : at;
    const bytes = stream.bytes(from, Math.min(total - from, random.integer(0, PIECE_BYTES_MAX)));
    const eof = from + bytes.length === total;
    try {
      const path = `/v1/execs/${execId}/stdin?offset=${from}${eof ? '&eof=1' : ''}`;
      const { status, body } = await client.put(path, bytes);
      const { appliedTo, code } = body as Refusal;
      if (status === 200 && appliedTo !== undefined) {
        at = appliedTo;
        isOver = eof;
      } else if (status === CONFLICT && code === 'stdin_gap')
        return [`a gap that nobody left: ${JSON.stringify(body)}`];
      else if (status < 500 && ![CONFLICT, LATER, TOO_EARLY].includes(status)) {
        return [`stdin from ${from}: ${status} ${JSON.stringify(body)}`];
      }
      if (status !== 200) await pause(RETRY_MS, ended);
    } catch {
      // No answer: whether it was applied shows when it is sent again.
      await pause(RETRY_MS, ended);
    }
  }
  return [];
}
