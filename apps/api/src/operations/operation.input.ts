import { isGitName, limits, OPERATION_TRANSITIONS, type OperationState } from '#domain';
import { z } from 'zod';
import { idText, pageQuery } from '../http/inputs.js';
import { ImageReference, TierNameText } from '../http/resources.js';

const STEP_LENGTH_MAX = 64;
const states = Object.keys(OPERATION_TRANSITIONS) as [OperationState, ...OperationState[]];

export const OperationStateName = z.enum(states);
export const OperationParams = z.strictObject({ operationId: idText });
export const OperationsQuery = z.strictObject({
  ...pageQuery,
  state: OperationStateName.optional(),
  sandboxId: idText.optional(),
});
export type OperationsQuery = z.infer<typeof OperationsQuery>;

/** A decision counts for the park that the person has seen, and for no later one. */
export const DecisionBody = z
  .strictObject({ step: z.string().min(1).max(STEP_LENGTH_MAX), parkNo: z.int().min(0) })
  .meta({ id: 'ParkDecision' });
export type DecisionBody = z.infer<typeof DecisionBody>;

const BranchName = z
  .string()
  .max(limits.GIT_NAME_LENGTH_MAX)
  .refine(isGitName, { error: 'must be a name that git takes for a branch' });

/** A retry may correct what the step was given. */
export const RetryBody = DecisionBody.extend({
  input: z
    .strictObject({
      image: ImageReference.optional(),
      tier: TierNameText.optional(),
      credentialId: idText.optional(),
      branch: BranchName.optional(),
      workspace: z.literal('empty').optional(),
    })
    .optional()
    .meta({
      description:
        'For the steps that make a container: its image or tier from now on, or an empty workspace for one that is gone. For those of git: the credential, the branch.',
    }),
}).meta({ id: 'RetryRequest' });
export type RetryBody = z.infer<typeof RetryBody>;
