import { setImmediate as tick } from 'node:timers/promises';
import { FairTurns } from './fair-turns.js';

/** Work that goes on until it is told to end, and the order in which it began. */
class Work {
  readonly begun: string[] = [];
  private readonly endings: Array<() => void> = [];

  readonly of = (name: string) => async (): Promise<string> => {
    this.begun.push(name);
    await new Promise<void>((resolve) => this.endings.push(resolve));
    return name;
  };

  async endOne(): Promise<void> {
    this.endings.shift()?.();
    await tick();
  }
}

describe('turns', () => {
  let turns: FairTurns;
  let work: Work;
  let ends: Promise<string>[];

  beforeEach(() => {
    turns = new FairTurns();
    work = new Work();
    ends = [];
  });

  const ask = (key: string, name: string): void => void ends.push(turns.inTurn(key, work.of(name)));

  it('are needed by nobody while there is little to do', () => {
    for (let n = 0; n < 48; n += 1) ask('a', `a${n}`);
    expect(work.begun).toHaveLength(48);
  });

  it('go to one of each key, and within a key to who came first', async () => {
    for (let n = 0; n < 48; n += 1) ask('busy', 'busy');
    for (const name of ['a1', 'a2', 'a3', 'b1', 'c1', 'b2']) ask(name[0] ?? '', name);
    expect(work.begun).toHaveLength(48);
    for (let n = 0; n < 54; n += 1) await work.endOne();
    expect(work.begun.slice(48)).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3']);
    await Promise.all(ends);
    ask('a', 'again');
    expect(work.begun.at(-1)).toBe('again');
    await work.endOne();
  });

  it('are given back by work that fails', async () => {
    const fail = async (): Promise<never> => await Promise.reject(new RangeError('no'));
    for (let n = 0; n < 100; n += 1) await expect(turns.inTurn('a', fail)).rejects.toThrow('no');
    ask('a', 'a');
    expect(work.begun).toEqual(['a']);
    await work.endOne();
  });

  it('are refused beyond what may wait, with the time to come again', async () => {
    for (let n = 0; n < 48 + 4_000; n += 1) ask('a', 'a');
    await expect(turns.inTurn('b', work.of('b'))).rejects.toMatchObject({
      code: 'rate_limited',
      retryAfterSeconds: 5,
    });
  });
});
