import type { StepName } from './operation.plan.js';
import { TIERS, type TierName } from './sandbox.js';

/** What a retry may change about what the failed step was given. Never a secret: it is kept in the history of the run. */
export interface Correction {
  readonly image?: string;
  readonly tier?: TierName;
}

/** An image reference as Docker takes it. It cannot begin with a dash, and it names no scheme. */
export const IMAGE_PATTERN = /^[a-z0-9][a-zA-Z0-9._:/@-]{0,254}$/;

/** Later steps find the container made, so a correction would have no effect on them. */
const CORRECTABLE: ReadonlySet<StepName> = new Set(['prepare_storage', 'create_container']);

/**
 * What a signal says in `input`, which comes from outside and past our API. Undefined where it makes no sense: then the
 * whole signal has no effect. Absent input is no correction.
 */
export function correctionOf(step: string, input: unknown): Correction | undefined {
  if (input === undefined || input === null) return {};
  if (typeof input !== 'object' || Array.isArray(input)) return undefined;
  const members = Object.entries(input);
  const correctable: ReadonlySet<string> = CORRECTABLE;
  if (members.length > 0 && !correctable.has(step)) return undefined;
  return members.every(([name, value]) => isCorrect(name, value)) ? { ...input } : undefined;
}

function isCorrect(name: string, value: unknown): boolean {
  if (typeof value !== 'string') return false;
  if (name === 'image') return IMAGE_PATTERN.test(value);
  return name === 'tier' && Object.hasOwn(TIERS, value);
}
