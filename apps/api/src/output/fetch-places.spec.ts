import { FetchPlaces } from './fetch-places.js';

describe('places for fetches', () => {
  it('are few, are given in order, and are free again after a failure', async () => {
    const places = new FetchPlaces();
    const started: number[] = [];
    const finish: Array<() => void> = [];
    const fetches = Array.from({ length: 8 }, async (_, n) =>
      places.during(async () => {
        started.push(n);
        await new Promise<void>((resolve) => (finish[n] = resolve));
        if (n % 2 === 1) throw new Error('It failed.');
        return n;
      }),
    );
    const settled = Promise.allSettled(fetches);
    expect(started).toEqual([0, 1, 2, 3]);
    for (let n = 0; n < 8; n += 1) {
      finish[n]?.();
      await new Promise((resolve) => setImmediate(resolve));
      expect(started).toEqual(Array.from({ length: Math.min(8, n + 5) }, (_, m) => m));
    }
    expect((await settled).filter(({ status }) => status === 'rejected')).toHaveLength(4);
    await expect(places.during(async () => await Promise.resolve('free'))).resolves.toBe('free');
  });
});
