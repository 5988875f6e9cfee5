import { DomainError, isDomainError } from '#domain';
import { FUZZ_SEED, mutated, randomFor } from '../../../../test/fakes/fuzzing.js';
import { ExecBody } from '../execs/exec.input.js';
import { parseClientMessage } from '../socket/client-message.js';
import { decodeClientFrame } from '../terminal/terminal-frame.js';
import { parseJsonBody } from './json-body.js';
import { structureOf } from './json-structure.js';
import { check } from './schema.pipe.js';

const ROUNDS = 3_000;
const DEPTH_MAX = 32;

const BODIES = [
  { command: 'echo "hé" \\', env: { A: '1', B_2: '=' }, labels: { 'a/b': 'c' }, timeoutSeconds: 5 },
  { argv: ['sh', '-c', 'x'], workingDirectory: '/w', user: 'node:4242', tty: { columns: 80, rows: 24 } },
  { command: 'x', stdin: { kind: 'inline', base64: 'AP8=' }, ifStopped: 'fail', allowBackground: true },
].map((body) => JSON.stringify(body));

const MESSAGES = [
  { t: 'auth', adminSecret: 'x' },
  { t: 'sub', id: 's1', topic: 'exec:0190b0a0-0000-7000-8000-000000000000', after: 7, encoding: 'text' },
  { t: 'unsub', id: 's1' },
  { t: 'ping' },
].map((message) => JSON.stringify(message));

const FRAMES = ['01000000000000000568690a', '0200500018', '05'];

/** The value, or the refusal; anything else that is thrown is a bug and fails the test. */
function outcomeOf<Value>(work: () => Value): Value | DomainError {
  try {
    return work();
  } catch (error) {
    if (isDomainError(error)) return error;
    throw error;
  }
}

function* texts(purpose: string, examples: readonly Uint8Array[]): Iterable<Uint8Array> {
  const random = randomFor(purpose);
  for (let round = 0; round < ROUNDS; round++) yield mutated(random, random.pick(examples));
}

const utf8 = (examples: readonly string[]): Uint8Array[] => examples.map((text) => Buffer.from(text));

describe(`text from a stranger (BERTH_FUZZ_SEED=${FUZZ_SEED})`, () => {
  it('is a body that fits its schema, or a refusal with a code', () => {
    for (const bytes of texts('bodies', utf8(BODIES))) {
      const outcome = outcomeOf(() => check(ExecBody, parseJsonBody(bytes)));
      if (outcome instanceof DomainError) expect(outcome.code).toBe('bad_request');
      else expect([outcome.command, outcome.argv].filter((one) => one !== undefined)).toHaveLength(1);
    }
  });

  it('is never understood in another way than the parser does', () => {
    for (const bytes of texts('structure', utf8(BODIES))) {
      const text = Buffer.from(bytes).toString();
      const { depth, repeatedKey } = structureOf(text, DEPTH_MAX);
      const outcome = outcomeOf(() => parseJsonBody(bytes));
      if (outcome instanceof DomainError) continue;
      expect([depth, repeatedKey]).toEqual([depthOf(JSON.parse(text)), undefined]);
    }
  });

  it('is a message of the WebSocket, or a refusal with a code', () => {
    for (const bytes of texts('messages', utf8(MESSAGES))) {
      const outcome = outcomeOf(() => parseClientMessage(bytes, false));
      if (outcome instanceof DomainError) expect(outcome.code).toBe('bad_request');
      else expect(['auth', 'sub', 'unsub', 'ping']).toContain(outcome.t);
    }
  });

  it('is a message of a terminal within its bounds, or a refusal with a code', () => {
    const examples = FRAMES.map((hex) => Buffer.from(hex, 'hex'));
    for (const bytes of texts('frames', examples)) {
      const outcome = outcomeOf(() => decodeClientFrame(bytes));
      if (outcome instanceof DomainError) expect(outcome.code).toBe('bad_request');
      else if (outcome.kind === 'input') expect(Number.isSafeInteger(outcome.offset)).toBe(true);
      else if (outcome.kind === 'resize') {
        const { columns, rows } = outcome.size;
        expect([columns, rows].every((side) => side >= 1 && side <= 1_000)).toBe(true);
      }
    }
  });
});

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map((inner) => depthOf(inner)));
}
