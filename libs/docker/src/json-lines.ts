const LINE_CHARACTERS_MAX = 1_048_576;

/**
 * The JSON objects of a stream that has one per line, however it is cut into pieces. Throws SyntaxError on a line that is
 * not JSON, and RangeError on one without an end: neither can be told from a stream that is out of step.
 */
export async function* jsonLines(stream: AsyncIterable<string | Buffer>): AsyncGenerator<unknown> {
  // The decoder keeps a character whose bytes are in two pieces together.
  const decoder = new TextDecoder();
  let rest = '';
  for await (const part of stream) {
    rest += typeof part === 'string' ? part : decoder.decode(part, { stream: true });
    for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
      const line = rest.slice(0, end).trim();
      rest = rest.slice(end + 1);
      if (line !== '') yield JSON.parse(line);
    }
    if (rest.length > LINE_CHARACTERS_MAX) throw new RangeError('A line of the engine has no end.');
  }
  if (rest.trim() !== '') yield JSON.parse(rest);
}
