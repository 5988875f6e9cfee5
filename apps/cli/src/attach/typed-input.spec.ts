import { describe, expect, test } from '@jest/globals';
import { TypedInput } from './typed-input.js';

const ALL = 1_000;
const never = new AbortController().signal;

function nextOf(input: TypedInput): string | undefined {
  const next = input.next(ALL);
  return next && `${next.offset}:${Buffer.from(next.bytes).toString()}`;
}

describe('what has been typed', () => {
  test('is numbered only from where this client begins to write', () => {
    const input = new TypedInput();
    input.push(Buffer.from('ab'));
    expect(nextOf(input)).toBeUndefined();
    input.open(10);
    expect(nextOf(input)).toBe('10:ab');
    expect(nextOf(input)).toBeUndefined();
    input.push(Buffer.from('c'));
    expect(nextOf(input)).toBe('12:c');
  });

  test('is sent again over the next connection, but for what was applied', () => {
    const input = new TypedInput();
    input.open(0);
    input.push(Buffer.from('abcdef'));
    expect(nextOf(input)).toBe('0:abcdef');
    input.acknowledge(2);
    input.open(4);
    expect(nextOf(input)).toBe('4:ef');
    input.acknowledge(6);
    input.acknowledge(5);
    input.push(Buffer.from('g'));
    expect(nextOf(input)).toBe('6:g');
  });

  test('makes who types far ahead wait', async () => {
    const input = new TypedInput();
    input.open(0);
    input.push(Buffer.alloc(65_536));
    let moved = false;
    const waiting = input.room(never).then(() => (moved = true));
    await Promise.resolve();
    expect(moved).toBe(false);
    input.acknowledge(1);
    await waiting;
  });

  test('is given up when somebody else writes', () => {
    const input = new TypedInput();
    input.open(0);
    input.push(Buffer.from('lost'));
    input.giveUp();
    expect(input.isOpen).toBe(false);
    input.open(20);
    expect(nextOf(input)).toBeUndefined();
  });
});
