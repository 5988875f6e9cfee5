/**
 * A topic names a row that may have changed: `exec:{id}`, `sandbox:{id}`, `operation:{id}`, `bulk:{id}`. The row is the truth.
 * `terminal:{id}` names the input of an exec that may have another writer; its supervisor is the truth.
 */
export type Topic =
  `exec:${string}` | `sandbox:${string}` | `operation:${string}` | `bulk:${string}` | `terminal:${string}`;

export interface WakeSender {
  /** Batched, best effort, after commit. Never throws: readers look by themselves every READER_POLL_MS. */
  wake(topic: Topic): void;
}

export interface WakeReceiver {
  /** Calls `listener` after each wake-up of the topic, and once after every lost connection. Returns the way to stop. */
  onWake(topic: Topic, listener: () => void): () => void;
}
