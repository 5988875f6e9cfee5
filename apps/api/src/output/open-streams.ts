import { finished, type Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import { DomainError } from '#domain';

/** Each may hold up to 1 MiB for a client that reads slowly. */
const OPEN_STREAMS_MAX = 2_000;
const RETRY_AFTER_SECONDS = 5;

/** Bounds how many answers with output may be open at the same time in this process. */
@Injectable()
export class OpenStreams {
  private open = 0;

  refuseOneTooMany(): void {
    if (this.open < OPEN_STREAMS_MAX) return;
    throw new DomainError('rate_limited', 'Too many clients read output at the moment.', {
      retryAfterSeconds: RETRY_AFTER_SECONDS,
    });
  }

  /** Counts it until it has ended, or until `gone` aborts: an answer that nobody began to read never ends. */
  count<Stream extends Readable>(stream: Stream, gone: AbortSignal): Stream {
    this.open += 1;
    let counted = true;
    const release = (): void => {
      if (counted) this.open -= 1;
      counted = false;
    };
    finished(stream, release);
    gone.addEventListener('abort', release, { once: true });
    return stream;
  }
}
