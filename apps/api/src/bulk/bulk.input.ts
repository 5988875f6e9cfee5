import {
  BULK_ACTIONS,
  BULK_ITEM_STATES,
  BULK_TRANSITIONS,
  limits,
  SANDBOX_TRANSITIONS,
  type BulkState,
  type SandboxObservedState,
} from '#domain';
import { z } from 'zod';
import { ExecBody, Labels } from '../execs/exec.input.js';
import { idText, nameText, pageQuery } from '../http/inputs.js';
import { ImageReference, TierNameText } from '../http/resources.js';
import { EndingBody } from '../sandboxes/sandbox.input.js';

const SELECTOR_VALUES_MAX = 1_000;
const MS_PER_SECOND = 1_000;
const states = Object.keys(SANDBOX_TRANSITIONS) as [SandboxObservedState, ...SandboxObservedState[]];
const bulkStates = Object.keys(BULK_TRANSITIONS) as [BulkState, ...BulkState[]];
/** One value, or several: then it holds where one of them does. */
const oneOf = <Item extends z.ZodType>(item: Item) =>
  z.union([item, z.array(item).min(1).max(SELECTOR_VALUES_MAX)]).optional();

const Selector = z
  .strictObject({
    owner: oneOf(nameText),
    name: oneOf(nameText),
    tier: oneOf(TierNameText),
    state: oneOf(z.enum(states)),
    image: oneOf(ImageReference),
    host: oneOf(nameText),
    label: Labels.optional(),
  })
  .refine((selector) => Object.values(selector).some((values) => Object.keys(values ?? {}).length > 0), {
    error: 'must have at least one condition',
  })
  .meta({
    id: 'SandboxSelector',
    description:
      'All conditions must hold, each by one of its values, labels by all. What is deleted is never selected.',
  });

const SandboxIds = z
  .array(idText)
  .min(1)
  .max(limits.BULK_ITEMS_MAX)
  .refine((ids) => new Set(ids).size === ids.length, { error: 'must name each sandbox once' });

/** Input would be one for all of them, so there is none. */
const BulkExec = ExecBody.refine(({ stdin, tty }) => stdin === undefined && tty === undefined, {
  error: 'takes no input and no terminal',
}).meta({ id: 'BulkExecRequest' });

export const BulkBody = z
  .strictObject({
    action: z.enum(BULK_ACTIONS),
    sandboxIds: SandboxIds.optional(),
    selector: Selector.optional(),
    options: EndingBody.meta({ description: 'For `restart` and `stop`: what becomes of running execs.' }),
    exec: BulkExec.optional().meta({ description: 'For `exec`: the command.' }),
    maxConcurrency: z.int().min(1).max(limits.BULK_CONCURRENCY_MAX).optional(),
    delaySeconds: z
      .number()
      .min(0)
      .max(limits.BULK_DELAY_SECONDS_MAX)
      .optional()
      .meta({ description: 'At least so long between the beginnings of two items.' }),
    failureBudget: z
      .int()
      .min(0)
      .max(limits.BULK_ITEMS_MAX)
      .optional()
      .meta({ description: 'More failed items than this pause it. By default none do.' }),
    dryRun: z.boolean().optional().meta({ description: 'Only say which sandboxes would be selected.' }),
  })
  .refine(({ sandboxIds, selector }) => (sandboxIds === undefined) !== (selector === undefined), {
    path: ['sandboxIds'],
    error: 'send either `sandboxIds` or `selector`',
  })
  .refine(({ action, exec }) => (action === 'exec') === (exec !== undefined), {
    path: ['exec'],
    error: 'goes with the action `exec`, which needs it',
  })
  .refine(({ action, options }) => options === undefined || action === 'restart' || action === 'stop', {
    path: ['options'],
    error: 'goes with the actions `restart` and `stop`',
  })
  .meta({ id: 'BulkRequest' });
export type BulkBody = z.infer<typeof BulkBody>;

export const BulkParams = z.strictObject({ bulkId: idText });
export const BulkStateName = z.enum(bulkStates);
export const BulksQuery = z.strictObject({ ...pageQuery, state: BulkStateName.optional() });
export type BulksQuery = z.infer<typeof BulksQuery>;
export const BulkItemStateName = z.enum(BULK_ITEM_STATES);
export const BulkItemsQuery = z.strictObject({ ...pageQuery, state: BulkItemStateName.optional() });
export type BulkItemsQuery = z.infer<typeof BulkItemsQuery>;

export const ResumeBody = z
  .strictObject({
    pauseNo: z.int().min(1).optional().meta({ description: 'Only if it is still this pause.' }),
  })
  .optional()
  .meta({ id: 'ResumeRequest' });
export type ResumeBody = z.infer<typeof ResumeBody>;

export const RetryFailedBody = z
  .strictObject({
    round: z
      .int()
      .min(1)
      .meta({ description: 'As the bulk operation shows it: a repetition changes nothing.' }),
    sandboxIds: SandboxIds.optional().meta({
      description: 'Only these. By default all that failed or were skipped.',
    }),
  })
  .meta({ id: 'RetryFailedRequest' });
export type RetryFailedBody = z.infer<typeof RetryFailedBody>;

export const delayMsOf = (seconds: number): number => Math.round(seconds * MS_PER_SECOND);
export const delaySecondsOf = (ms: number): number => ms / MS_PER_SECOND;
