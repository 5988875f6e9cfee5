import { MemoryWakes } from '../../../../test/fakes/memory-wakes.js';
import { WakeUps } from './wake-ups.js';

const NEVER_MS = 60_000;
const TOPIC = 'exec:e1';

describe('the wake-ups of a reader', () => {
  it('are remembered when they come between the look and the wait', async () => {
    const wakes = new MemoryWakes();
    const wakeUps = new WakeUps(wakes, TOPIC);
    wakes.wake(TOPIC);
    await wakeUps.next(NEVER_MS, new AbortController().signal);
    const second = wakeUps.next(NEVER_MS, new AbortController().signal);
    wakes.wake('exec:e2');
    wakes.wake(TOPIC);
    await second;
    wakeUps.close();
    expect(wakes.topicCount).toBe(0);
  });

  it('are not needed: the wait ends by itself, by abort and by close', async () => {
    const wakes = new MemoryWakes();
    const wakeUps = new WakeUps(wakes, TOPIC);
    const controller = new AbortController();
    await wakeUps.next(1, controller.signal);
    const aborted = wakeUps.next(NEVER_MS, controller.signal);
    controller.abort();
    await aborted;
    await wakeUps.next(NEVER_MS, controller.signal);
    const closed = wakeUps.next(NEVER_MS, new AbortController().signal);
    wakeUps.close();
    await closed;
  });
});
