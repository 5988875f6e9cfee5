export interface JsonStructure {
  /** How deep arrays and objects are nested. */
  readonly depth: number;
  /** The pointer of a key that its object has twice; undefined where there is none. */
  readonly repeatedKey: string | undefined;
}

interface Level {
  readonly pointer: string;
  /** Undefined in an array. */
  readonly keys: Set<string> | undefined;
  items: number;
  /** The key whose value comes next. */
  key: string | undefined;
}

/**
 * What a parser does not tell: how deep a text is nested, and whether an object has a key twice, of which the parser would
 * keep one. It goes through the text once without recursion, and leaves it to the parser to say whether it is JSON.
 */
export function structureOf(text: string, depthMax: number): JsonStructure {
  const levels: Level[] = [];
  let depth = 0;
  let repeatedKey: string | undefined;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    const level = levels.at(-1);
    if (character === '{' || character === '[') {
      const keys = character === '{' ? new Set<string>() : undefined;
      levels.push({ pointer: level ? pointerIn(level) : '', keys, items: 0, key: undefined });
      depth = Math.max(depth, levels.length);
      if (depth > depthMax) break;
    } else if (character === '}' || character === ']') levels.pop();
    else if (character === ',' && level) {
      level.items += 1;
      level.key = undefined;
    } else if (character === '"') {
      const end = endOfString(text, at);
      if (level?.keys && level.key === undefined) {
        level.key = keyOf(text.slice(at, end + 1));
        if (level.keys.has(level.key)) repeatedKey ??= pointerIn(level);
        level.keys.add(level.key);
      }
      at = end;
    }
  }
  return { depth, repeatedKey };
}

/** RFC 6901. */
export function escapePointer(segment: string): string {
  return segment.replaceAll('~', '~0').replaceAll('/', '~1');
}

function pointerIn({ pointer, keys, items, key }: Level): string {
  return `${pointer}/${keys ? escapePointer(key ?? '') : items}`;
}

/** The place of the closing quote, or the end of the text. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === '"') return at;
  }
  return text.length;
}

/** Two spellings of one key are one key. A text that is no JSON is refused by the parser. */
function keyOf(quoted: string): string {
  try {
    return String(JSON.parse(quoted));
  } catch {
    return quoted;
  }
}
