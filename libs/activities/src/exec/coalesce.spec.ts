import { describe, expect, it } from '@jest/globals';
import type { FollowEvent } from '#domain';
import { coalesce } from './coalesce.js';

function frames(position: number, length: number): FollowEvent {
  return { kind: 'frames', position, bytes: new Uint8Array(length).fill(position % 251) };
}

const LOST: FollowEvent = { kind: 'lost', endPosition: 0, reason: 'supervisor_died' };

async function collect(source: AsyncIterable<FollowEvent>): Promise<FollowEvent[]> {
  const events = [];
  for await (const event of source) {
    events.push(event);
    await new Promise(setImmediate);
  }
  return events;
}

describe('coalescing', () => {
  it('joins what arrived while the consumer was busy, in order and without loss', async () => {
    async function* source() {
      for (let n = 0; n < 100; n += 1) yield frames(n * 10, 10);
      yield LOST;
    }
    const events = await collect(coalesce(source(), 1_000));
    expect(events.length).toBeLessThan(20);
    expect(events.at(-1)).toBe(LOST);
    const bytes = events.flatMap((event) => (event.kind === 'frames' ? [...event.bytes] : []));
    expect(bytes).toEqual(Array.from({ length: 1_000 }, (_, n) => (Math.floor(n / 10) * 10) % 251));
  });

  it('does not ask the source for more than the limit while the consumer is busy', async () => {
    let produced = 0;
    async function* source() {
      for (;;) yield frames(produced, (produced += 10) - produced + 10);
    }
    const reader = coalesce(source(), 100);
    await reader.next();
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    expect(produced).toBeLessThanOrEqual(220);
    await reader.return(undefined);
  });

  it('throws what the source throws, after everything that came before', async () => {
    async function* source() {
      yield frames(0, 10);
      throw new Error('gone');
    }
    const reader = coalesce(source(), 100);
    expect((await reader.next()).value).toMatchObject({ kind: 'frames', position: 0 });
    await expect(reader.next()).rejects.toThrow('gone');
  });
});
