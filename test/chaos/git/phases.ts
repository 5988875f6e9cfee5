import type { Injury } from '../injury.js';
import type { SeenOperation } from '../lifecycle/asker.js';

/** A run, and the repository of the server that it works on. */
export type GitOperation = SeenOperation & { readonly repository: string };

/** Where in the life of a git operation a kill can fall. */
export const GIT_PHASES = {
  clone: 'a clone is being made',
  G1: 'a commit is being made',
  G2: 'there is a commit, and its push is not under way',
  G3: 'the server has the push, and its answer is not known',
  G4: 'the push is known, the end is being recorded',
  pull: 'a pull goes on',
} as const;
export type GitPhase = keyof typeof GIT_PHASES;

export interface SeenPush {
  readonly repository: string;
  readonly atMs: number;
}

interface Span {
  readonly phase: GitPhase;
  readonly fromMs: number;
  readonly toMs: number;
}

/** How many injuries met an operation in each phase. */
export function gitPhasesMet(
  injuries: readonly Injury[],
  operations: readonly GitOperation[],
  pushes: readonly SeenPush[],
): Record<GitPhase, number> {
  const met = { clone: 0, G1: 0, G2: 0, G3: 0, G4: 0, pull: 0 };
  const spans = operations.flatMap((operation) => spansOf(operation, pushes));
  for (const { atMs } of injuries) {
    const hit = spans.filter(({ fromMs, toMs }) => fromMs <= atMs && atMs < toMs).map(({ phase }) => phase);
    for (const phase of new Set(hit)) met[phase] += 1;
  }
  return met;
}

/** A step lasts until the next one begins. */
function spansOf({ steps, finishedAt, repository }: GitOperation, pushes: readonly SeenPush[]): Span[] {
  return steps.flatMap(({ name, startedAt }, index): Span[] => {
    const fromMs = Date.parse(startedAt);
    const until = steps[index + 1]?.startedAt ?? finishedAt;
    const toMs = until === null ? Infinity : Date.parse(until);
    switch (name) {
      case 'clone_repository':
        return [{ phase: 'clone', fromMs, toMs }];
      case 'commit_changes':
        return [{ phase: 'G1', fromMs, toMs }];
      case 'pull_branch':
        return [{ phase: 'pull', fromMs, toMs }];
      case 'record_git':
        return [{ phase: 'G4', fromMs, toMs }];
      case 'push_branch': {
        const came = pushes.find(
          (push) => push.repository === repository && push.atMs >= fromMs && push.atMs < toMs,
        );
        const cameAtMs = came?.atMs ?? toMs;
        return [
          { phase: 'G2', fromMs, toMs: cameAtMs },
          { phase: 'G3', fromMs: cameAtMs, toMs },
        ];
      }
      default:
        return [];
    }
  });
}
