import type { Command } from 'commander';
import { BulkDryRunSchema, BulkItemSchema, BulkSchema, pageOf, type BulkResource } from '../api/resources.js';
import { bulkBodyOf, type BulkOptions } from '../bulk/bulk-request.js';
import { CliError } from '../terminal/cli-error.js';
import { note, show, tableOf } from '../terminal/terminal.js';
import { collect, wholeNumber } from './option-values.js';
import type { Session } from './session.js';

const EXIT_BULK_FAILED = 1;
/** Waits for a decision of a person: `berth bulk resume` or `berth bulk cancel`. */
const EXIT_BULK_PAUSED = 3;
const WATCH_WAIT_SECONDS = 2;
const ENDED: ReadonlySet<string> = new Set(['succeeded', 'failed', 'canceled']);

const EXAMPLES = `
Examples:
  berth bulk restart --tier small --state running --concurrency 16 --budget 5 --watch
  berth bulk stop --label team=research --dry-run
  berth bulk restart --id ID --id ID --watch      exits 0 succeeded, 1 failed or canceled, 3 paused
  berth bulk exec --owner u1 -- apt-get --version
  berth bulk items ID --state failed
  berth bulk retry-failed ID`;

const ACTIONS = {
  restart: 'Restarts each of the sandboxes in a new container.',
  stop: 'Stops each of the sandboxes; their workspaces stay.',
  start: 'Starts each of the sandboxes.',
  delete: 'Deletes each of the sandboxes with its workspace.',
  snapshot: 'Takes a snapshot of the workspace of each of the sandboxes.',
  exec: 'Runs what stands after `--` in each of the sandboxes.',
} as const;

const CONTROLS = {
  pause: 'Begins nothing more until it is resumed; what has begun goes on.',
  cancel: 'Cancels what has not begun; what has begun ends by itself.',
} as const;

export function addBulkCommands(program: Command, session: Session): void {
  const bulk = program
    .command('bulk')
    .description('Does one thing to many sandboxes, shows what became of each, and decides what is paused.')
    .addHelpText('after', EXAMPLES);
  for (const [action, description] of Object.entries(ACTIONS)) addAction(bulk, session, action, description);
  bulk
    .command('ls')
    .alias('list')
    .description('Lists bulk operations, the newest first.')
    .option('--state <state>', 'only in this state, for example paused')
    .action(async (options: { state?: string }) => await listBulks(session, options));
  bulk
    .command('get')
    .description('Shows one bulk operation.')
    .argument('<id>')
    .action(async (id: string) => await showBulk(session, await bulkOf(session, id)));
  bulk
    .command('watch')
    .description('Follows a bulk operation until it ends or is paused.')
    .argument('<id>')
    .action(async (id: string) => await watchBulk(session, id));
  addItems(bulk, session);
  addControls(bulk, session);
}

function addAction(bulk: Command, session: Session, action: string, description: string): void {
  const command = bulk
    .command(action)
    .description(description)
    .option('--id <id>', 'this sandbox; may be repeated', collect, [])
    .option('-o, --owner <name>', 'those of this owner; may be repeated', collect, [])
    .option('-n, --name <name>', 'those of this name; may be repeated', collect, [])
    .option('--tier <tier>', 'those of this tier; may be repeated', collect, [])
    .option('--state <state>', 'those in this state; may be repeated', collect, [])
    .option('-i, --image <image>', 'those of this image; may be repeated', collect, [])
    .option('--host <host>', 'those on this host; may be repeated', collect, [])
    .option('-l, --label <name=value>', 'those with this label; of several all must hold', collect, [])
    .option('--concurrency <items>', 'so many at once (default: 10)', wholeNumber)
    .option('--delay <seconds>', 'at least so long between two beginnings', Number)
    .option('--budget <failures>', 'pause it when more than this have failed', wholeNumber)
    .option('--dry-run', 'only show which sandboxes would be selected')
    .option('--watch', 'follow it until it ends or is paused');
  if (action === 'stop' || action === 'restart') {
    command.option('--finish', 'let the execs that run finish first');
  }
  command.action(async (options: BulkOptions) => await begin(session, action, options));
}

function addItems(bulk: Command, session: Session): void {
  bulk
    .command('items')
    .description('Lists what became of each sandbox, in the order in which they begin.')
    .argument('<id>')
    .option('--state <state>', 'only in this state, for example failed')
    .option('--cursor <cursor>', 'go on where the last page ended')
    .action(async (id: string, options: { state?: string; cursor?: string }) => {
      const query = new URLSearchParams({ limit: '200', ...options });
      const page = await session.api().get(`${pathOf(id)}/items?${query.toString()}`, pageOf(BulkItemSchema));
      await show(session.terminal(), page, () => [
        ...tableOf(
          ['#', 'SANDBOX', 'OWNER', 'STATE', 'PHASE', 'ATTEMPTS', 'FAILURE'],
          page.items.map((one) => [
            String(one.number),
            one.sandboxId,
            one.owner,
            one.state,
            one.phase ?? '-',
            String(one.attempts),
            one.failure === null ? '-' : `${one.failure.message} (${one.failure.code})`,
          ]),
        ),
        ...(page.nextCursor === null ? [] : [`more: --cursor ${page.nextCursor}`]),
      ]);
    });
}

function addControls(bulk: Command, session: Session): void {
  for (const [name, description] of Object.entries(CONTROLS)) {
    bulk
      .command(name)
      .description(description)
      .argument('<id>')
      .action(async (id: string) => await control(session, id, name, undefined));
  }
  bulk
    .command('resume')
    .description('Goes on after a pause; earlier failures no longer count against its budget.')
    .argument('<id>')
    .action(async (id: string) => {
      const { pause, state } = await bulkOf(session, id);
      if (pause === null) throw new CliError(`Bulk operation ${id} is ${state}: only a paused one goes on.`);
      await control(session, id, 'resume', { pauseNo: pause.pauseNo });
    });
  bulk
    .command('retry-failed')
    .description('Begins those anew that failed or were skipped.')
    .argument('<id>')
    .option('--id <id>', 'only this sandbox; may be repeated', collect, [])
    .action(async (id: string, options: { id: readonly string[] }) => {
      const { round } = await bulkOf(session, id);
      const some = options.id.length === 0 ? {} : { sandboxIds: options.id };
      await control(session, id, 'retry-failed', { round, ...some });
    });
}

async function begin(session: Session, action: string, options: BulkOptions): Promise<void> {
  const body = bulkBodyOf(action, options, session.remoteArgv);
  if (options.dryRun) {
    const dry = await session.api().post('/v1/bulk-operations', body, BulkDryRunSchema);
    await show(session.terminal(), dry, () => [
      ...tableOf(
        ['SANDBOX', 'OWNER', 'NAME', 'STATE'],
        dry.sandboxes.map((one) => [one.id, one.owner, one.name, one.observedState]),
      ),
      `${dry.total} sandboxes would be selected; nothing was begun.`,
    ]);
    return;
  }
  const begun = await session.api().post('/v1/bulk-operations', body, BulkSchema);
  if (options.watch) await watchBulk(session, begun.id);
  else await showBulk(session, begun);
}

async function control(session: Session, id: string, name: string, body: object | undefined): Promise<void> {
  await showBulk(session, await session.api().post(`${pathOf(id)}/${name}`, body, BulkSchema));
}

async function listBulks(session: Session, options: { state?: string }): Promise<void> {
  const query = new URLSearchParams(options);
  const page = await session.api().get(`/v1/bulk-operations?${query.toString()}`, pageOf(BulkSchema));
  await show(session.terminal(), page, () =>
    tableOf(
      ['ID', 'ACTION', 'STATE', 'PROGRESS', 'CREATED'],
      page.items.map((one) => [one.id, one.action, one.state, progressOf(one), one.createdAt]),
    ),
  );
}

async function watchBulk(session: Session, id: string): Promise<void> {
  let shown = '';
  for (;;) {
    const bulk = await bulkOf(session, id, WATCH_WAIT_SECONDS);
    const line = `${bulk.state}: ${progressOf(bulk)}`;
    if (line !== shown) note(session.terminal(), line);
    shown = line;
    if (bulk.state !== 'paused' && !ENDED.has(bulk.state)) continue;
    await showBulk(session, bulk);
    session.exitWith(exitCodeOf(bulk.state));
    return;
  }
}

function exitCodeOf(state: string): number {
  if (state === 'succeeded') return 0;
  return state === 'paused' ? EXIT_BULK_PAUSED : EXIT_BULK_FAILED;
}

async function showBulk(session: Session, bulk: BulkResource): Promise<void> {
  await show(session.terminal(), bulk, () => [
    `bulk         ${bulk.id}`,
    `action       ${bulk.action}`,
    `state        ${bulk.state}`,
    `sandboxes    ${bulk.total}`,
    ...Object.entries(bulk.counts).map(([state, items]) => `${state.padEnd(12)} ${items}`),
    ...(bulk.pause ? pauseLines(bulk.id, bulk.pause) : []),
    ...(bulk.failure ? [`failure      ${bulk.failure.message} (${bulk.failure.code})`] : []),
  ]);
}

function pauseLines(id: string, { reason, deadlineAt }: NonNullable<BulkResource['pause']>): string[] {
  return [
    `paused       ${reason === null ? 'by request' : `${reason.message} (${reason.code})`}, canceled at ${deadlineAt}`,
    `decide       berth bulk resume|cancel ${id}`,
  ];
}

/** What has ended of how many, and how much of it not well. */
function progressOf({ counts, total }: BulkResource): string {
  const left = (counts['pending'] ?? 0) + (counts['running'] ?? 0);
  const unwell = (counts['failed'] ?? 0) + (counts['skipped_busy'] ?? 0);
  return `${total - left} of ${total}${unwell === 0 ? '' : `, ${unwell} failed or skipped`}`;
}

async function bulkOf(session: Session, id: string, waitSeconds?: number): Promise<BulkResource> {
  const wait = waitSeconds === undefined ? '' : `?wait=${waitSeconds}`;
  return await session.api().get(`${pathOf(id)}${wait}`, BulkSchema);
}

const pathOf = (id: string): string => `/v1/bulk-operations/${encodeURIComponent(id)}`;
