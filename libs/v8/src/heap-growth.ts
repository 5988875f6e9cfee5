import { setFlagsFromString } from 'node:v8';

/** How much the heap and what hangs on it may grow, in percent, until the whole of it is looked through again. */
const GROWTH_PERCENT = 100;

/**
 * For a process that lets much output pass. By itself V8 allows a heap that hardly grows only a few megabytes more, and counts
 * the buffers outside of it as growth: so it looks through the whole heap for every 5 MiB of output, which takes
 * more time than everything that is done with them. docs/benchmarks.md has the figures. Called before anything else.
 */
export function letBuffersPass(): void {
  setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`);
}
