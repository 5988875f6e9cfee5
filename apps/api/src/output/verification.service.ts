import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { DomainError, limits, outputExpired, type OutputVerifier } from '#domain';
import { ExecsService } from '../execs/execs.service.js';
import type { Call } from '../http/call.js';
import { OUTPUT_VERIFIER } from '../tokens.js';
import { Draining } from '../waiting/draining.js';
import { verificationView, type VerificationView } from './verification.view.js';

/** Most are done by then, and their problems can still be told by the status of the answer. */
const ANSWER_WHOLE_MS = 2_000;
/** Blanks before a JSON value mean nothing to a reader and keep everything between him and us from giving up. */
const BLANK_EVERY_MS = 5_000;
const RETRY_AFTER_SECONDS = 5;

/** Recomputes the hashes of what is stored. It reads everything, so only few may go on at once. */
@Injectable()
export class VerificationService {
  private running = 0;

  constructor(
    @Inject(ExecsService) private readonly execs: ExecsService,
    @Inject(OUTPUT_VERIFIER) private readonly verifier: OutputVerifier,
    @Inject(Draining) private readonly draining: Draining,
  ) {}

  /** The result; or, where it takes long, a stream that will end with it. */
  async verify(call: Call, id: string): Promise<VerificationView | Readable> {
    const exec = await this.execs.get(call, id, 0);
    if (exec.outputState === 'expired') throw outputExpired();
    if (this.running >= limits.VERIFICATIONS_AT_ONCE_MAX) {
      throw new DomainError('rate_limited', 'Other verifications are running.', {
        retryAfterSeconds: RETRY_AFTER_SECONDS,
      });
    }
    this.running += 1;
    const signal = AbortSignal.any([call.signal, this.draining.signal]);
    const result = this.verifier
      .verify(exec, signal)
      .then((verification) => verificationView(exec, verification))
      .finally(() => (this.running -= 1));
    // Whoever waits for it hears of a failure; when nobody does any more, it is nobody's.
    result.catch(() => undefined);
    const early = await Promise.race([result, waited(ANSWER_WHOLE_MS)]);
    return early ?? Readable.from(blanksUntil(result), { objectMode: false });
  }
}

async function* blanksUntil(result: Promise<VerificationView>): AsyncGenerator<Buffer> {
  for (;;) {
    const view = await Promise.race([result, waited(BLANK_EVERY_MS)]);
    yield Buffer.from(view ? JSON.stringify(view) : '\n');
    if (view) return;
  }
}

const waited = async (ms: number): Promise<undefined> => await delay(ms, undefined, { ref: false });
