/** Resolves after `ms`, or at once when the signal is aborted. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  if (ms <= 0 || signal?.aborted === true) return;
  await new Promise<void>((resolve) => {
    const over = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', over);
      resolve();
    };
    const timer = setTimeout(over, ms);
    signal?.addEventListener('abort', over);
  });
}

/** True as soon as `look` is true; false when that has not happened within the time. */
export async function until(
  look: () => Promise<boolean> | boolean,
  timeoutMs: number,
  intervalMs: number,
): Promise<boolean> {
  const giveUpAt = performance.now() + timeoutMs;
  for (;;) {
    if (await look()) return true;
    if (performance.now() >= giveUpAt) return false;
    await pause(intervalMs);
  }
}

const ANSWERS_WITHIN_MS = 90_000;
const ASK_AGAIN_MS = 500;

/** What it gives as soon as it gives something; its last error when that takes too long. */
export async function insistOn<Result>(ask: () => Promise<Result>): Promise<Result> {
  for (const giveUpAt = performance.now() + ANSWERS_WITHIN_MS; ; await pause(ASK_AGAIN_MS)) {
    try {
      return await ask();
    } catch (error) {
      if (performance.now() >= giveUpAt) throw error;
    }
  }
}

export const textOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? ` (${error.cause.message})` : '';
  return `${error.message}${cause}`;
};
