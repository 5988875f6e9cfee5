import { DomainError } from '#domain';
import { StorageDeadlineError, translateStorageError } from './s3-errors.js';

export interface StreamGuard {
  /** What the storage announced. */
  readonly contentLength: number;
  readonly silenceMs: number;
  readonly signal: AbortSignal | undefined;
  /** Called once, when the reader has come to the end or has left. */
  readonly end: () => void;
}

/**
 * The bytes of an answer, with a limit to the time that the storage may leave a reader without one. The time that the
 * reader itself takes does not count. Bytes that are missing at the end are an error and never a shorter object.
 */
export async function* guardedStream(
  source: AsyncIterable<Uint8Array>,
  { contentLength, silenceMs, signal, end }: StreamGuard,
): AsyncGenerator<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]();
  let received = 0;
  try {
    for (;;) {
      const next = await nextWithin(iterator, silenceMs);
      if (next.done === true) break;
      received += next.value.length;
      yield next.value;
    }
    if (received !== contentLength) {
      throw new DomainError('dependency_unavailable', 'The object storage broke off its answer.', {
        detail: `${received} of ${contentLength} bytes came.`,
        dependency: 's3',
      });
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw translateStorageError(error, 'read an object');
  } finally {
    end();
  }
}

async function nextWithin(
  iterator: AsyncIterator<Uint8Array>,
  silenceMs: number,
): Promise<IteratorResult<Uint8Array>> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new StorageDeadlineError(`No byte came for ${silenceMs} ms.`)),
      silenceMs,
    );
  });
  try {
    return await Promise.race([iterator.next(), silence]);
  } finally {
    clearTimeout(timer);
  }
}
