import { escapePointer, structureOf } from './json-structure.js';
import { InvalidInputError } from './problem.js';

const JSON_DEPTH_MAX = 32;
const POINTER_SHOWN_LENGTH_MAX = 200;

/**
 * Parses a bounded body. Depth is counted before parsing, because a parser recurses. A key that is there twice and
 * `__proto__` are refused, because each reader would understand them in its own way.
 */
export function parseJsonBody(bytes: Uint8Array): unknown {
  const text = decode(bytes);
  const { depth, repeatedKey } = structureOf(text, JSON_DEPTH_MAX);
  if (depth > JSON_DEPTH_MAX) throw invalid(`The body is nested more than ${JSON_DEPTH_MAX} deep.`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalid('The body is not valid JSON.');
  }
  if (repeatedKey !== undefined) throw invalid('This key is there twice.', shown(repeatedKey));
  refusePrototypeKeys(value, '');
  return value;
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw invalid('The body is not valid UTF-8.');
  }
}

function refusePrototypeKeys(value: unknown, pointer: string): void {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    const at = `${pointer}/${escapePointer(key)}`;
    if (key === '__proto__') throw invalid('This key is not allowed.', at);
    refusePrototypeKeys(inner, at);
  }
}

function invalid(message: string, pointer = ''): InvalidInputError {
  return new InvalidInputError(message, [{ pointer, message }]);
}

const shown = (pointer: string): string => pointer.slice(0, POINTER_SHOWN_LENGTH_MAX);
