import type { ErrorCode } from '../errors.js';
import { DomainError } from '../errors.js';
import * as limits from '../limits.js';
import type { OperationOutcome } from '../operation.js';

/**
 * What came of one thing that was done with a repository, and the code of its failure; null where it is no failure. Only
 * `git_network` and `git_busy` may pass by themselves.
 */
export const GIT_OUTCOMES = {
  cloned: null,
  committed: null,
  nothing_to_commit: null,
  pushed: null,
  already_there: null,
  updated: null,
  up_to_date: null,
  seen: null,
  discarded: null,
  opened: null,
  already_open: null,
  rejected_non_fast_forward: 'git_non_fast_forward',
  remote_rejected: 'git_remote_rejected',
  auth_failed: 'git_auth_failed',
  not_found: 'git_not_found',
  network: 'git_network',
  address_refused: 'git_address_refused',
  redirected: 'git_not_found',
  diverged: 'git_non_fast_forward',
  busy: 'git_busy',
  path_occupied: 'git_path_occupied',
  no_repository: 'git_no_repository',
  invalid: 'git_invalid',
  too_large: 'git_too_large',
  disk_full: 'git_disk_full',
  timed_out: 'git_timed_out',
  failed: 'git_failed',
} as const satisfies Readonly<Record<string, ErrorCode | null>>;

export type GitOutcome = keyof typeof GIT_OUTCOMES;

/** What the program in the sandbox wrote last. Everything in it may be forged by whoever owns the sandbox. */
export interface GitResult {
  readonly outcome: GitOutcome;
  readonly message: string | null;
  readonly branch: string | null;
  readonly commit: string | null;
  /** The remote's answer was lost, and a look at it showed what it has. */
  readonly compared: boolean;
  /** What the hooks of the remote said. */
  readonly remoteText: string | null;
  /** Of a pull request. */
  readonly number: number | null;
  readonly url: string | null;
}

export interface GitProgress {
  readonly phase: string;
  readonly percent: number;
}

/** Undefined for what no program of ours would write. */
export function gitResultOf(value: unknown): GitResult | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { outcome, message, branch, commit, compared, remoteText, number, url } = value as Record<
    string,
    unknown
  >;
  if (typeof outcome !== 'string' || !Object.hasOwn(GIT_OUTCOMES, outcome)) return undefined;
  return {
    outcome: outcome as GitOutcome,
    message: textOf(message),
    branch: textOf(branch),
    commit: textOf(commit),
    compared: compared === true,
    remoteText: textOf(remoteText),
    number: Number.isSafeInteger(number) ? (number as number) : null,
    url: typeof url === 'string' && /^https?:\/\//.test(url) ? textOf(url) : null,
  };
}

export function gitProgressOf(value: unknown): GitProgress | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { phase, percent } = value as Record<string, unknown>;
  const isPercent =
    typeof percent === 'number' && Number.isInteger(percent) && percent >= 0 && percent <= 100;
  if (typeof phase !== 'string' || phase.length > limits.GIT_NAME_LENGTH_MAX || !isPercent) return undefined;
  return { phase, percent };
}

/** Undefined where it came about. */
export function gitFailureOf({ outcome, message, remoteText }: GitResult): DomainError | undefined {
  const code = GIT_OUTCOMES[outcome];
  if (code === null) return undefined;
  const said = remoteText === null ? '' : ` The remote said: ${remoteText}`;
  return new DomainError(code, `${message ?? `Git could not do it (${outcome}).`}${said}`);
}

/** For the row of the operation. What a commit has told stays when a push follows it. */
export function gitOutcomeOf(before: OperationOutcome | null, result: GitResult): OperationOutcome {
  const told = Object.entries(result).filter(([, value]) => value !== null && value !== false);
  return { ...before, ...Object.fromEntries(told) } as OperationOutcome;
}

function textOf(value: unknown): string | null {
  if (typeof value !== 'string' || value === '') return null;
  return value.slice(0, limits.GIT_TEXT_LENGTH_MAX).replaceAll('\u0000', '').toWellFormed();
}
