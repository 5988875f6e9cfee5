import { asyncLocalStorage, Context } from '@temporalio/activity';

/** As within a Temporal worker, as far as steps look at it: heartbeats go nowhere, nothing is canceled. */
export async function inActivity<T>(work: () => Promise<T>): Promise<T> {
  const context = Object.create(Context.prototype) as Context;
  Object.defineProperties(context, {
    cancellationSignal: { value: new AbortController().signal },
    heartbeatFn: { value: quiet },
    heartbeat: { value: quiet },
    info: { value: { attempt: 1 } },
  });
  return await asyncLocalStorage.run(context, work);
}

function quiet(): void {
  // Nobody listens.
}
