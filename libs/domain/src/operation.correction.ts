import type { CredentialId } from './credential.js';
import { isGitName } from './git/git.request.js';
import { isUuid } from './ids.js';
import type { StepName } from './operation.plan.js';
import { TIERS, type TierName } from './sandbox.js';

/** What a retry may change about what the failed step was given. Never a secret: it is kept in the history of the run. */
export interface Correction {
  readonly image?: string;
  readonly tier?: TierName;
  /** For a git operation: what the remote knows it by from now on. */
  readonly credentialId?: CredentialId;
  readonly branch?: string;
  /** The workspace that is gone is given up, and the sandbox begins with what its image has there. */
  readonly workspace?: 'empty';
}

/** An image reference as Docker takes it. It cannot begin with a dash, and it names no scheme. */
export const IMAGE_PATTERN = /^[a-z0-9][a-zA-Z0-9._:/@-]{0,254}$/;

const WORKSPACE: readonly (keyof Correction)[] = ['workspace'];
const CONTAINER: readonly (keyof Correction)[] = ['image', 'tier', ...WORKSPACE];

/** Later steps find the container made, so another image or tier would have no effect on them; but they may find its workspace gone. */
const CORRECTABLE: Readonly<Partial<Record<StepName, readonly (keyof Correction)[]>>> = {
  prepare_storage: CONTAINER,
  create_container: CONTAINER,
  start_container: WORKSPACE,
  await_runner: WORKSPACE,
  clone_repository: ['credentialId'],
  push_branch: ['credentialId', 'branch'],
  pull_branch: ['credentialId', 'branch'],
  open_pull_request: ['credentialId', 'branch'],
};

/**
 * What a signal says in `input`, which comes from outside and past our API. Undefined where it makes no sense: then the
 * whole signal has no effect. Absent input is no correction.
 */
export function correctionOf(step: string, input: unknown): Correction | undefined {
  if (input === undefined || input === null) return {};
  if (typeof input !== 'object' || Array.isArray(input)) return undefined;
  const correctable: Readonly<Record<string, readonly string[] | undefined>> = CORRECTABLE;
  const known = (Object.hasOwn(CORRECTABLE, step) ? correctable[step] : undefined) ?? [];
  const isSensible = Object.entries(input).every(
    ([name, value]) => known.includes(name) && isCorrect(name, value),
  );
  return isSensible ? { ...input } : undefined;
}

function isCorrect(name: string, value: unknown): boolean {
  if (typeof value !== 'string') return false;
  switch (name as keyof Correction) {
    case 'image':
      return IMAGE_PATTERN.test(value);
    case 'tier':
      return Object.hasOwn(TIERS, value);
    case 'workspace':
      return value === 'empty';
    case 'credentialId':
      return isUuid(value);
    case 'branch':
      return isGitName(value);
  }
}
