const SILENCE_MS_MAX = 15_000;

/** Puts `word` into a stream of texts whenever it has been silent for a while. It never comes within a text. */
export async function* withKeepAlive(
  texts: AsyncGenerator<string>,
  word: string,
  signal: AbortSignal,
  silenceMsMax = SILENCE_MS_MAX,
): AsyncGenerator<string> {
  let next = texts.next();
  try {
    for (;;) {
      const result = await earlier(next, silenceMsMax, signal);
      if (result === undefined) {
        if (signal.aborted) return;
        yield word;
        continue;
      }
      if (result.done) return;
      yield result.value;
      next = texts.next();
    }
  } finally {
    await texts.return(undefined);
  }
}

/** Undefined when the time is up. */
async function earlier<T>(promise: Promise<T>, ms: number, signal: AbortSignal): Promise<T | undefined> {
  let stop: () => void = () => undefined;
  const timeUp = new Promise<undefined>((resolve) => {
    const timer = setTimeout(() => resolve(undefined), ms);
    stop = () => {
      clearTimeout(timer);
      resolve(undefined);
    };
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([promise, timeUp]);
  } finally {
    stop();
    signal.removeEventListener('abort', stop);
  }
}
