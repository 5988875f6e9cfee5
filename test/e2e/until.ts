/** Not how long something may take, but when a test has hung: below the time of its own that each test has. */
const GIVE_UP_AFTER_MS = 90_000;
const LOOK_EVERY_MS = 100;

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Looks again and again, and returns what was seen when it was so for the first time. */
export async function until<Seen>(
  look: () => Seen | Promise<Seen>,
  isSo: (seen: Seen) => boolean,
  giveUpAfterMs = GIVE_UP_AFTER_MS,
): Promise<Seen> {
  for (const giveUpAt = Date.now() + giveUpAfterMs; ;) {
    const seen = await look();
    if (isSo(seen)) return seen;
    if (Date.now() > giveUpAt) throw new Error(`It never came to be so: ${JSON.stringify(seen)}`);
    await pause(LOOK_EVERY_MS);
  }
}
