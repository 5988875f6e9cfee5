import { SEARCH_QUERY_WORDS_MAX, SEARCH_WORD_LENGTH_MAX } from '../limits.js';

const ESCAPE = '\u001b';
const BELL = '\u0007';
/** Colours, titles and cursor movements of a terminal: they stand between letters and are no words. */
const TERMINAL_SEQUENCE = new RegExp(
  [
    `${ESCAPE}\\[[0-?]*[ -/]*[@-~]`,
    `${ESCAPE}\\][^${BELL}${ESCAPE}]*(?:${BELL}|${ESCAPE}\\\\)`,
    `${ESCAPE}[@-Z\\\\^_-]`,
  ].join('|'),
  'gu',
);
const WORD = /[\p{L}\p{N}\p{M}]+/gu;
const QUERY_WORD = /([\p{L}\p{N}\p{M}]+)(\*?)/gu;

/** Words are runs of letters and digits of any script; case does not count. Everything else only parts them. */
export function searchText(text: string): string {
  const words = text.replace(TERMINAL_SEQUENCE, '').toLowerCase().match(WORD) ?? [];
  return words.map((word) => word.slice(0, SEARCH_WORD_LENGTH_MAX)).join(' ');
}

export interface SearchWord {
  readonly word: string;
  /** Asked for with a `*` behind it: the beginning of a word is enough. */
  readonly prefix: boolean;
}

/** The words that must all be there, by the same rules. None where the query holds no word. */
export function searchWordsOf(query: string): SearchWord[] {
  return [...query.toLowerCase().matchAll(QUERY_WORD)]
    .slice(0, SEARCH_QUERY_WORDS_MAX)
    .map(([, word = '', star]) => ({ word: word.slice(0, SEARCH_WORD_LENGTH_MAX), prefix: star === '*' }));
}
