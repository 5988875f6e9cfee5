import { CancellationScope, continueAsNew, defineSignal, patched, setHandler } from '@temporalio/workflow';
import { BULK_HAS_ENDED } from '#domain';
import { BulkRun } from './bulk-run.js';
import {
  CANCEL_SIGNAL,
  PAUSE_SIGNAL,
  RESUME_SIGNAL,
  RETRY_FAILED_SIGNAL,
  WAKE_SIGNAL,
  type BulkInput,
  type BulkResult,
  type BulkSignal,
} from './contract.js';

const wakeBulkSignal = defineSignal(WAKE_SIGNAL);
const pauseSignal = defineSignal(PAUSE_SIGNAL);
const resumeSignal = defineSignal<[BulkSignal?]>(RESUME_SIGNAL);
const cancelBulkSignal = defineSignal(CANCEL_SIGNAL);
const retryFailedSignal = defineSignal<[BulkSignal?]>(RETRY_FAILED_SIGNAL);

/** Runs before this looked again first, for as long as they were told something, and began and continued nothing meanwhile. */
const NO_WAIT_FOR_SILENCE = 'no-wait-for-silence';

/**
 * Drives the rows of a bulk operation: look, start the runs of what has begun, wait for something to happen, look again.
 * All that it knows is on the rows, so a run may end and another one go on at any moment. It never starts anything that
 * has no row, and never ends what it has started: its children outlive it.
 */
export async function bulkOperation(input: BulkInput): Promise<BulkResult> {
  const run = new BulkRun(input);
  setHandler(wakeBulkSignal, () => run.wake());
  setHandler(pauseSignal, () => run.ask('pause'));
  setHandler(resumeSignal, (given) => run.ask('resume', given));
  setHandler(cancelBulkSignal, () => run.ask('cancel'));
  setHandler(retryFailedSignal, (given) => run.ask('retry_failed', given));
  CancellationScope.current().cancelRequested.catch(() => run.ask('cancel'));

  return await CancellationScope.nonCancellable(async () => {
    for (;;) {
      const progress = await run.advance();
      const hasEnded = BULK_HAS_ENDED[progress.state];
      // What was asked for meanwhile may have begun it anew.
      const looksAgain = run.isAsked || (hasEnded && run.isWoken);
      if (hasEnded && !looksAgain) return { state: progress.state };
      if (looksAgain && !patched(NO_WAIT_FOR_SILENCE)) continue;
      run.startRuns(progress.unknown);
      if (run.isPageDone) break;
      if (!looksAgain) await run.untilNext(progress);
    }
    return await continueAsNew<typeof bulkOperation>(run.next);
  });
}
