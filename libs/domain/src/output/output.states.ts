import type { TransitionTable } from '../states.js';

/**
 * Where the output of an exec is. `hot`: in the database, what is older perhaps already in object storage. `sealed`: all
 * of it in object storage, with its manifest. `expired`: removed by retention; only the row is left.
 */
export type OutputState = 'hot' | 'sealed' | 'expired';

export const OUTPUT_TRANSITIONS: TransitionTable<OutputState> = {
  hot: ['sealed', 'expired'],
  sealed: ['expired'],
  expired: [],
};
