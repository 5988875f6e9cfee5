import type { Chunk, CommittedWatcher } from '#domain';

/** Who is told of an exec's output as soon as it is committed. A watcher that is gone costs nothing. */
export class CommittedWatchers {
  private readonly watchers = new Set<CommittedWatcher>();
  private closed = false;

  /** Returns how to stop. */
  add(watcher: CommittedWatcher): () => void {
    if (this.closed) watcher.over();
    else this.watchers.add(watcher);
    return () => void this.watchers.delete(watcher);
  }

  tell(chunk: Chunk): void {
    for (const watcher of this.watchers) watcher.take(chunk);
  }

  close(): void {
    this.closed = true;
    for (const watcher of this.watchers) watcher.over();
    this.watchers.clear();
  }
}
