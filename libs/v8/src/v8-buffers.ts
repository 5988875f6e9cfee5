import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { PassedBuffers } from '#domain';

/** Less than what lets V8 look through the whole heap, and so much that a look at what is new costs nothing beside it. */
const COLLECT_EVERY_BYTES = 8 * 1_024 * 1_024;

/**
 * For a process that lets much output pass. V8 lets a heap that hardly grows have only a few megabytes more and counts the
 * buffers outside of it as growth, so by itself it looks through the whole heap for every 5 MiB of output: that took half
 * of the time of API and worker. Such buffers are young and dead; a look at the young generation alone, which takes half a
 * millisecond, frees them. At most one in a process.
 */
export class V8Buffers implements PassedBuffers {
  private readonly collect: (options: { type: 'minor' }) => void;
  private passedBytes = 0;

  /** `growthPercent`: how much the heap and what hangs on it may grow until V8 looks through all of it again. */
  constructor(growthPercent: number) {
    setFlagsFromString(`--heap-growing-percent=${growthPercent}`);
    setFlagsFromString('--expose-gc');
    this.collect = runInNewContext('gc') as typeof this.collect;
  }

  passed(bytes: number): void {
    this.passedBytes += bytes;
    if (this.passedBytes < COLLECT_EVERY_BYTES) return;
    this.passedBytes = 0;
    this.collect({ type: 'minor' });
  }
}
