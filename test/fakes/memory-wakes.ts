import type { Topic, WakeReceiver, WakeSender } from '#domain';

/** Wake-ups within one process. `mute` drops them, as a lost NOTIFY connection does. */
export class MemoryWakes implements WakeSender, WakeReceiver {
  mute = false;
  private readonly listeners = new Map<Topic, Set<() => void>>();

  wake(topic: Topic): void {
    if (this.mute) return;
    for (const listener of this.listeners.get(topic) ?? []) listener();
  }

  onWake(topic: Topic, listener: () => void): () => void {
    const set = this.listeners.get(topic) ?? new Set();
    this.listeners.set(topic, set.add(listener));
    return () => {
      set.delete(listener);
      if (set.size === 0) this.listeners.delete(topic);
    };
  }

  /** Readers that forget to unsubscribe would show here. */
  get topicCount(): number {
    return this.listeners.size;
  }
}
