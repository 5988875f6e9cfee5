/** What one way of asking took, in milliseconds. */
export interface Asked {
  /** Reads of the API. */
  readonly api: readonly number[];
  /** Requests to a server that does nothing, made between those: what the machine itself takes. */
  readonly machine: readonly number[];
}

export interface ReadVerdict {
  readonly verdict: 'back' | 'not back' | 'not told';
  /** p95 of reads after the kills by that before them. */
  readonly api: number;
  /** The same of the server that does nothing. */
  readonly machine: number;
}

/** By so much reads may be slower than before. */
const SLOWER_MAX = 1.1;
const MOST = 0.95;
/** Of the normal distribution: between these lies what is meant in 19 of 20 cases. */
const DEVIATIONS = 1.96;
/** Fewer tell nothing about the twentieth of them that are slow. */
const READS_MIN = 200;

/**
 * Whether reads are as quick again as before the first kill. It is told only where the machine was as quick, and where so many
 * reads can tell: a p95 is known no better than its neighbours in order are apart.
 */
export function judgeReads(before: Asked, after: Asked): ReadVerdict {
  const api = slowdownOf(before.api, after.api);
  const machine = slowdownOf(before.machine, after.machine);
  const told = { api: api.ratio, machine: machine.ratio };
  const count = Math.min(...[before, after].flatMap((asked) => [asked.api.length, asked.machine.length]));
  if (count < READS_MIN) return { ...told, verdict: 'not told' };
  if (api.ratio <= SLOWER_MAX) return { ...told, verdict: 'back' };
  const isMachineSlower = machine.ratio > SLOWER_MAX;
  return { ...told, verdict: api.atLeast > SLOWER_MAX && !isMachineSlower ? 'not back' : 'not told' };
}

function slowdownOf(
  before: readonly number[],
  after: readonly number[],
): { readonly ratio: number; readonly atLeast: number } {
  const [was, is] = [mostOf(before), mostOf(after)];
  return { ratio: is.middle / was.middle, atLeast: is.low / was.high };
}

function mostOf(times: readonly number[]): {
  readonly low: number;
  readonly middle: number;
  readonly high: number;
} {
  const sorted = times.toSorted((a, b) => a - b);
  const spread = (DEVIATIONS * Math.sqrt(MOST * (1 - MOST))) / Math.sqrt(Math.max(1, sorted.length));
  const at = (part: number): number =>
    sorted[Math.min(sorted.length - 1, Math.max(0, Math.floor(part * sorted.length)))] ?? Number.NaN;
  return { low: at(MOST - spread), middle: at(MOST), high: at(MOST + spread) };
}
