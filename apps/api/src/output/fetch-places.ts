/**
 * How many readers fetch stored output at the same time. What a fetch leaves behind besides the output is several times
 * as large as the output, and each fetch takes a connection that other requests wait for.
 */
const FETCHES_MAX = 4;

/** Lets a few fetches in at a time, in the order in which they came. */
export class FetchPlaces {
  private free = FETCHES_MAX;
  private readonly waiting: Array<() => void> = [];

  async during<T>(fetch: () => Promise<T>): Promise<T> {
    if (this.free > 0) this.free -= 1;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
    try {
      return await fetch();
    } finally {
      const next = this.waiting.shift();
      if (next) next();
      else this.free += 1;
    }
  }
}
