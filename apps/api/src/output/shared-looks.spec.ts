import { SharedLooks } from './shared-looks.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('looks at one row', () => {
  it('are shared by those who ask at the same time, and begin after each of them asked', async () => {
    const begun: Array<() => void> = [];
    let version = 0;
    const looks = new SharedLooks(async (_id: string) => {
      const seen = version;
      await new Promise<void>((resolve) => begun.push(resolve));
      return seen;
    });
    const first = looks.get('a');
    version = 1;
    const late = Array.from({ length: 100 }, () => looks.get('a'));
    const other = looks.get('b');
    expect(begun).toHaveLength(2);
    begun[0]?.();
    expect(await first).toBe(0);
    await turn();
    expect(begun).toHaveLength(3);
    for (const finish of begun) finish();
    expect(new Set(await Promise.all(late))).toEqual(new Set([1]));
    expect(await other).toBe(1);
  });

  it('fail for those who shared one, and begin anew for the next', async () => {
    let fails = true;
    const looks = new SharedLooks(async (id: string) => {
      await turn();
      if (fails) throw new Error('away');
      return id;
    });
    const [first, second] = await Promise.allSettled([looks.get('a'), looks.get('a')]);
    expect([first?.status, second?.status]).toEqual(['rejected', 'rejected']);
    fails = false;
    expect(await looks.get('a')).toBe('a');
  });
});
