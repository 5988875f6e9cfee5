import { setImmediate } from 'node:timers/promises';
import { DomainError, limits, type InputPiece, type InputResult, type RunnerConnection } from '#domain';
import { writeAll } from './input-pieces.js';

const PIECE_BYTES = limits.STDIN_PIECE_BYTES_MAX;

/** A command's input as a runner keeps it. Each request is answered when the test, or the next one, lets it. */
class Runner {
  readonly taken: Buffer[] = [];
  mostAtOnce = 0;
  private waiting = 0;

  constructor(private readonly stumbles: (nth: number) => 'late' | 'busy' | 'full' | 'closed' | undefined) {}

  get applied(): number {
    return this.taken.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  connection(): RunnerConnection {
    let count = 0;
    const writeStdin = async (_id: string, piece: InputPiece): Promise<InputResult> => {
      count += 1;
      const stumble = this.stumbles(count);
      this.waiting += 1;
      this.mostAtOnce = Math.max(this.mostAtOnce, this.waiting);
      // All that can be sent is sent before a turn of the loop is over; two turns let it be overtaken.
      for (let turn = 0; turn < (stumble === 'late' ? 2 : 1); turn += 1) await setImmediate();
      this.waiting -= 1;
      return this.answer(piece, stumble);
    };
    return { writeStdin } as unknown as RunnerConnection;
  }

  private answer({ offset, bytes, eof }: InputPiece, stumble: string | undefined): InputResult {
    if (stumble === 'busy') {
      throw new DomainError('rate_limited', 'busy', { extra: { runnerCode: 'resource_exhausted' } });
    }
    const state = (name: InputResult['state']) => ({ state: name, appliedTo: this.applied, eof: false });
    if (stumble === 'closed') return state('closed');
    if (offset > this.applied) return state('gap');
    const rest = Buffer.from(bytes).subarray(this.applied - offset);
    this.taken.push(stumble === 'full' ? rest.subarray(0, 10) : rest);
    return { ...state(stumble === 'full' ? 'full' : 'applied'), eof };
  }
}

const whole = Buffer.from(Array.from({ length: 9 * PIECE_BYTES + 5 }, (_, at) => at % 251));
const input: InputPiece = { offset: 0, bytes: whole, eof: true, writer: null, take: false };

describe('a large input', () => {
  it.each([
    ['in their order', () => undefined],
    ['with the first one late', (nth: number) => (nth === 1 ? 'late' : undefined)],
    ['with one in the middle late', (nth: number) => (nth === 5 ? 'late' : undefined)],
    ['with one refused as there are too many', (nth: number) => (nth === 3 ? 'busy' : undefined)],
    ['with one that is taken in part', (nth: number) => (nth === 4 ? 'full' : undefined)],
  ] as const)('goes in pieces, several at once, each byte once: %s', async (_how, stumbles) => {
    const runner = new Runner(stumbles);
    const result = await writeAll(runner.connection(), 'id', input);
    expect(result).toMatchObject({ state: 'applied', appliedTo: whole.byteLength, eof: true });
    expect(Buffer.concat(runner.taken).equals(whole)).toBe(true);
    expect(runner.mostAtOnce).toBe(limits.STDIN_PIECES_AT_ONCE_MAX);
  });

  it('is not sent on where the command has closed it', async () => {
    const runner = new Runner((nth) => (nth >= 3 ? 'closed' : undefined));
    const result = await writeAll(runner.connection(), 'id', input);
    expect(result).toMatchObject({ state: 'closed', appliedTo: 2 * PIECE_BYTES });
  });

  it('is a gap where it begins beyond what came before', async () => {
    const runner = new Runner(() => undefined);
    const result = await writeAll(runner.connection(), 'id', { ...input, offset: 1 });
    expect(result).toMatchObject({ state: 'gap', appliedTo: 0 });
  });
});
