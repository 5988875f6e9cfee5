/** What is kept of the durations of one kind of measurement, in milliseconds. */
export interface Summary {
  readonly count: number;
  readonly p50: number;
  readonly p95: number;
  readonly min: number;
  readonly max: number;
}

const DIGITS = 2;

/** Nearest-rank percentiles: each is a duration that was really measured. */
export function summaryOf(durationsMs: readonly number[]): Summary {
  if (durationsMs.length === 0) throw new RangeError('There is nothing to summarise.');
  const sorted = [...durationsMs].sort((a, b) => a - b);
  const at = (share: number): number => rounded(sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN);
  return { count: sorted.length, p50: at(0.5), p95: at(0.95), min: at(1 / sorted.length), max: at(1) };
}

/** How long `summary` is of `reference`, by their medians. */
export function ratioOf(summary: Summary, reference: Summary): number {
  return rounded(summary.p50 / reference.p50);
}

function rounded(value: number): number {
  return Number(value.toFixed(DIGITS));
}
