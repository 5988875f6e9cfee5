import { limits, type SearchWord } from '#domain';

/** The words of an exec's command and labels, as they were sent. */
export const COMMAND_TEXT = `left(concat_ws(' ',
  (SELECT string_agg(a.value, ' ') FROM jsonb_array_elements_text(e.request->'argv') a),
  (SELECT string_agg(concat(l.key, ' ', l.value), ' ')
   FROM jsonb_each_text(coalesce(e.request->'labels', '{}'::jsonb)) l)), ${limits.SEARCH_COMMAND_LENGTH_MAX})`;

/** Letters and digits with spaces between them: what the domain does with text, for what is not indexed. */
export const plainWords = (expression: string): string =>
  `regexp_replace(lower(${expression}), '[^a-z0-9\\u0080-\\uffff]+', ' ', 'g')`;

/** Words hold letters and digits only, so that none of them can be read as an operator. */
export function tsqueryOf(words: readonly SearchWord[]): string {
  return words.map(({ word, prefix }) => (prefix ? `${word}:*` : word)).join(' & ');
}

/**
 * The execs that hold all of the words. What is not indexed is live or has just ended: few, and found by command and
 * labels. One condition on the row itself leaves the choice to the database: rare words come out of the index of words,
 * frequent ones turn up soon enough among the newest rows.
 */
export function searchCondition(query: string): string {
  return `(e.search @@ to_tsquery('simple', ${query}) OR (e.search IS NULL
    AND to_tsvector('simple', ${plainWords(COMMAND_TEXT)}) @@ to_tsquery('simple', ${query})))`;
}
