import { DomainError } from '#domain';

/**
 * As many bytes as were announced. The content comes from a sandbox, whose owner may have changed it on the way: more of it
 * would be taken for the next answer on the connection, and less of it for the whole.
 */
export async function* exactContent(
  content: AsyncIterable<Uint8Array>,
  length: number,
): AsyncGenerator<Uint8Array> {
  let left = length;
  for await (const bytes of content) {
    left -= bytes.byteLength;
    if (left < 0) break;
    yield bytes;
  }
  if (left !== 0) throw new DomainError('runner_protocol', 'The content has another length than was told.');
}
