import type { Broken } from '../broken.js';

/** The resource of a bulk operation, as far as the checks read it. */
export interface SeenBulk {
  readonly id: string;
  readonly action: BulkAction;
  readonly state: string;
  readonly round: number;
  readonly pause: { readonly pauseNo: number; readonly reason: SeenReason | null } | null;
  readonly failure: SeenReason | null;
  readonly total: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly createdAt: string;
  readonly finishedAt: string | null;
}

export interface SeenReason {
  readonly code: string;
  readonly message: string;
}

export interface SeenItem {
  readonly number: number;
  readonly sandboxId: string;
  readonly state: string;
  readonly attempts: number;
  readonly failure: SeenReason | null;
  readonly operationId: string | null;
  readonly execId: string | null;
}

export type BulkAction = 'restart' | 'stop' | 'start' | 'snapshot' | 'exec' | 'delete';

/** What one bulk operation did to one sandbox, counted past Berth: inits born, lines written, snapshots stored. */
export interface Effect {
  readonly sandboxId: string;
  /** Whether it ran before, as the kernel says. */
  readonly wasRunning: boolean;
  readonly isRunning: boolean;
  readonly births: number;
  /** Lines that the command of this bulk operation has written; each run of it writes one. */
  readonly lines: number;
  /** Snapshots that are there and were not before. */
  readonly snapshots: number;
  /** How many kills may have made it be born once more, or not run, by themselves. */
  readonly hits: number;
}

const ENDED_ITEM = new Set(['succeeded', 'failed', 'skipped_busy', 'canceled']);
const REASONED_ITEM = new Set(['failed', 'skipped_busy']);
/** Whoever kills a container starts it again with Docker at times, and Berth makes another one then. */
const BIRTHS_PER_HIT_MAX = 2;

/** True where no kill is an excuse: commands and snapshots never come about by themselves. */
export const isExact = (action: BulkAction, { hits }: Effect): boolean =>
  hits === 0 || action === 'exec' || action === 'snapshot';

export interface JudgedBulk {
  readonly bulk: SeenBulk;
  readonly items: readonly SeenItem[];
  readonly sandboxIds: readonly string[];
  readonly effects: ReadonlyMap<string, Effect>;
}

/** All that is wrong with a bulk operation that has ended and with what it did. Pure. */
export function judgeBulk({ bulk, items, sandboxIds, effects }: JudgedBulk): Broken[] {
  return [
    ...judgeEnd(bulk, items),
    ...judgeCounts(bulk, items, sandboxIds),
    ...items.flatMap((item) => {
      const effect = effects.get(item.sandboxId);
      return effect === undefined ? [] : judgeItem(bulk, item, effect);
    }),
  ];
}

function judgeEnd(bulk: SeenBulk, items: readonly SeenItem[]): Broken[] {
  const name = `the bulk ${bulk.action} ${bulk.id}`;
  const broken: Broken[] = items
    .filter(({ state }) => !ENDED_ITEM.has(state))
    .map(({ number, state }) => ({
      kind: 'no end',
      detail: `${name} is ${bulk.state}, and its item ${number} is ${state}`,
    }));
  for (const { number, state, failure } of items) {
    if (REASONED_ITEM.has(state) && !failure?.message)
      broken.push({ kind: 'no reason', detail: `${name}: its item ${number} is ${state} without one` });
  }
  const isWell = items.every(({ state }) => state === 'succeeded');
  if (bulk.state !== 'canceled' && isWell !== (bulk.state === 'succeeded'))
    broken.push({ kind: 'counts', detail: `${name} is ${bulk.state}, its items: ${statesOf(items)}` });
  return broken;
}

function judgeCounts(bulk: SeenBulk, items: readonly SeenItem[], sandboxIds: readonly string[]): Broken[] {
  const name = `the bulk ${bulk.action} ${bulk.id}`;
  const broken: Broken[] = [];
  const found = items.map(({ sandboxId }) => sandboxId).toSorted();
  if (found.join() !== sandboxIds.toSorted().join())
    broken.push({ kind: 'forgotten', detail: `${name} has items for ${found.join(', ')}` });
  const states = Object.keys(bulk.counts);
  const differ = states.filter(
    (one) => bulk.counts[one] !== items.filter(({ state }) => state === one).length,
  );
  if (differ.length > 0 || bulk.total !== items.length)
    broken.push({
      kind: 'counts',
      detail: `${name} counts ${JSON.stringify(bulk.counts)}, its items: ${statesOf(items)}`,
    });
  return broken;
}

const statesOf = (items: readonly SeenItem[]): string => items.map(({ state }) => state).join(', ');

function judgeItem({ action, id }: SeenBulk, item: SeenItem, effect: Effect): Broken[] {
  const { seen, fewest, most } = expectedOf(action, item, effect);
  const detail =
    `the bulk ${action} ${id}, item ${item.number}, sandbox ${item.sandboxId}: ${item.state} after ` +
    `${item.attempts} attempts and ${effect.hits} hits, its effect is there ${seen} times`;
  if (seen < fewest) return [{ kind: 'forgotten', detail }];
  if (seen > most) return [{ kind: 'done twice', detail }];
  const runsWrongly = action === 'stop' && item.state === 'succeeded' && effect.isRunning;
  return runsWrongly && effect.hits === 0 ? [{ kind: 'wrong state', detail: `${detail}; it runs` }] : [];
}

/** How often the effect of an item must be there at least, and at most: once for what succeeded, never more than it was begun. */
function expectedOf(
  action: BulkAction,
  { state, attempts }: SeenItem,
  { births, lines, snapshots, hits, wasRunning }: Effect,
): { seen: number; fewest: number; most: number } {
  const once = state === 'succeeded' ? 1 : 0;
  const byThemselves = hits * BIRTHS_PER_HIT_MAX;
  switch (action) {
    case 'restart':
      return { seen: births, fewest: once, most: attempts + byThemselves };
    case 'start':
      // One that was started again by itself meanwhile is so already.
      return {
        seen: births,
        fewest: wasRunning || hits > 0 ? 0 : once,
        most: wasRunning ? byThemselves : attempts + byThemselves,
      };
    case 'exec':
      return { seen: lines, fewest: once, most: attempts };
    case 'snapshot':
      return { seen: snapshots, fewest: once, most: once };
    case 'stop':
    case 'delete':
      return { seen: births, fewest: 0, most: byThemselves };
  }
}
