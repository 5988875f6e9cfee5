import { nameValuesOf } from '../commands/option-values.js';
import { CliError } from '../terminal/cli-error.js';

/** The options of `berth bulk restart` and its siblings as commander gives them. */
export interface BulkOptions {
  readonly id: readonly string[];
  readonly owner: readonly string[];
  readonly name: readonly string[];
  readonly tier: readonly string[];
  readonly state: readonly string[];
  readonly image: readonly string[];
  readonly host: readonly string[];
  readonly label: readonly string[];
  readonly concurrency?: number;
  readonly delay?: number;
  readonly budget?: number;
  readonly finish?: boolean;
  readonly dryRun?: boolean;
  readonly watch?: boolean;
}

const LISTS = ['owner', 'name', 'tier', 'state', 'image', 'host'] as const;
const HOW = 'For example: berth bulk restart --owner u1 --watch';

/** The body of POST /v1/bulk-operations; `argv` is what stands after `--`. */
export function bulkBodyOf(action: string, options: BulkOptions, argv: readonly string[]): object {
  if ((action === 'exec') !== argv.length > 0) {
    throw new CliError(
      action === 'exec'
        ? 'No command is given: put it after `--`.'
        : `A ${action} takes no command after \`--\`.`,
      HOW,
    );
  }
  return {
    action,
    ...targetOf(options),
    ...(action === 'exec' ? { exec: { argv } } : {}),
    ...(options.finish ? { options: { running: 'wait' } } : {}),
    ...(options.concurrency === undefined ? {} : { maxConcurrency: options.concurrency }),
    ...(options.delay === undefined ? {} : { delaySeconds: options.delay }),
    ...(options.budget === undefined ? {} : { failureBudget: options.budget }),
    ...(options.dryRun ? { dryRun: true } : {}),
  };
}

function targetOf(options: BulkOptions): object {
  const selector = Object.fromEntries([
    ...LISTS.filter((list) => options[list].length > 0).map((list) => [list, options[list]]),
    ...(options.label.length === 0 ? [] : [['label', nameValuesOf('--label', options.label, HOW)]]),
  ]);
  const isSelected = Object.keys(selector).length > 0;
  if (isSelected === options.id.length > 0) {
    throw new CliError(
      isSelected
        ? '--id names the sandboxes already; no other condition goes with it.'
        : 'Say which sandboxes: by --id, or by conditions.',
      HOW,
    );
  }
  return isSelected ? { selector } : { sandboxIds: options.id };
}
