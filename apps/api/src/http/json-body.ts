import { InvalidInputError } from './problem.js';

const JSON_DEPTH_MAX = 32;

/** Parses a bounded body. Depth is counted before parsing, because a parser recurses; `__proto__` is refused, not dropped. */
export function parseJsonBody(bytes: Uint8Array): unknown {
  const text = decode(bytes);
  if (depthOf(text) > JSON_DEPTH_MAX) throw invalid(`The body is nested more than ${JSON_DEPTH_MAX} deep.`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalid('The body is not valid JSON.');
  }
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

function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (inString) {
      if (character === '\\') at += 1;
      else if (character === '"') inString = false;
    } else if (character === '"') inString = true;
    else if (character === '{' || character === '[') deepest = Math.max(deepest, (depth += 1));
    else if (character === '}' || character === ']') depth -= 1;
  }
  return deepest;
}

function refusePrototypeKeys(value: unknown, pointer: string): void {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    const at = `${pointer}/${escapePointer(key)}`;
    if (key === '__proto__') throw invalid('This key is not allowed.', at);
    refusePrototypeKeys(inner, at);
  }
}

/** RFC 6901. */
export function escapePointer(segment: string): string {
  return segment.replaceAll('~', '~0').replaceAll('/', '~1');
}

function invalid(message: string, pointer = ''): InvalidInputError {
  return new InvalidInputError(message, [{ pointer, message }]);
}
