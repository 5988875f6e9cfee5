import type { Command } from 'commander';
import { OperationSchema, pageOf, type OperationResource, type SandboxCreated } from '../api/resources.js';
import { CliError } from '../terminal/cli-error.js';
import { note, show, tableOf } from '../terminal/terminal.js';
import type { Session } from './session.js';

const EXIT_OPERATION_FAILED = 1;
/** Waits for a decision of a person: `berth op retry` or `berth op abort`. */
const EXIT_OPERATION_PARKED = 3;
const WATCH_WAIT_SECONDS = 2;
const ENDED: ReadonlySet<string> = new Set(['succeeded', 'failed', 'canceled']);

const EXAMPLES = `
Examples:
  berth op ls --state parked
  berth op watch ID        exits 0 succeeded, 1 failed or canceled, 3 parked
  berth op retry ID        runs the failed step of a parked operation again
  berth op retry ID --image berth/base:2
  berth op abort ID        ends a parked operation
  berth op cancel ID       ends a git operation that runs`;

export function addOperationCommands(program: Command, session: Session): void {
  const op = program
    .command('op')
    .description(
      'Lists, shows, watches and decides operations: the durable runs on a sandbox that are not execs.',
    )
    .addHelpText('after', EXAMPLES);
  op.command('ls')
    .description('Lists operations, the newest first.')
    .option('--state <state>', 'only in this state, for example parked')
    .option('-s, --sandbox <id>', 'only of this sandbox')
    .action(async (options: { state?: string; sandbox?: string }) => await listOperations(session, options));
  op.command('get')
    .description('Shows one operation with its steps.')
    .argument('<id>')
    .action(async (id: string) => await showOperation(session, await operationOf(session, id)));
  op.command('watch')
    .description('Follows an operation until it ends or parks.')
    .argument('<id>')
    .action(async (id: string) => await watchOperation(session, id));
  op.command('retry')
    .description('Runs the failed step of a parked operation again.')
    .argument('<id>')
    .option('-i, --image <image>', 'with another image from now on')
    .option('--tier <tier>', 'in another tier from now on')
    .option('--credential <id>', 'of git: with another credential from now on')
    .option('--branch <name>', 'of git: with another branch from now on')
    .option('--empty-workspace', 'with an empty workspace in place of the one that is gone')
    .action(async (id: string, { emptyWorkspace, ...options }: Correction & { emptyWorkspace?: boolean }) => {
      const workspace = emptyWorkspace === true ? { workspace: 'empty' } : {};
      await decide(session, id, 'retry', { ...options, ...workspace });
    });
  op.command('abort')
    .description('Ends a parked operation.')
    .argument('<id>')
    .action(async (id: string) => await decide(session, id, 'abort'));
  op.command('cancel')
    .description('Ends a git operation that runs, and undoes what it has not finished.')
    .argument('<id>')
    .action(async (id: string) => {
      const path = `${operationPath(id)}/cancel`;
      await showOperation(session, await session.api().post(path, undefined, OperationSchema));
    });
}

interface Correction {
  readonly image?: string;
  readonly tier?: string;
  readonly credential?: string;
  readonly branch?: string;
  readonly workspace?: string;
}

const operationPath = (id: string): string => `/v1/operations/${encodeURIComponent(id)}`;

async function operationOf(session: Session, id: string, waitSeconds?: number): Promise<OperationResource> {
  const wait = waitSeconds === undefined ? '' : `?wait=${waitSeconds}`;
  return await session.api().get(`${operationPath(id)}${wait}`, OperationSchema);
}

async function listOperations(
  session: Session,
  options: { state?: string; sandbox?: string },
): Promise<void> {
  const query = new URLSearchParams();
  if (options.state !== undefined) query.set('state', options.state);
  if (options.sandbox !== undefined) query.set('sandboxId', options.sandbox);
  const page = await session.api().get(`/v1/operations?${query.toString()}`, pageOf(OperationSchema));
  await show(session.terminal(), page, () =>
    tableOf(
      ['ID', 'KIND', 'STATE', 'STEP', 'CREATED', 'SANDBOX'],
      page.items.map((one) => [
        one.id,
        one.kind,
        one.state,
        one.steps.at(-1)?.name ?? '-',
        one.createdAt,
        one.sandboxId,
      ]),
    ),
  );
}

export async function watchOperation(session: Session, id: string): Promise<void> {
  let shown = '';
  for (;;) {
    const operation = await operationOf(session, id, WATCH_WAIT_SECONDS);
    const step = operation.steps.at(-1);
    const line =
      step === undefined
        ? operation.state
        : `${operation.state}: ${step.name} ${step.state}${progressOf(step.progress)}`;
    if (line !== shown) note(session.terminal(), line);
    shown = line;
    if (operation.state !== 'parked' && !ENDED.has(operation.state)) continue;
    await showOperation(session, operation);
    session.exitWith(exitCodeOfOperation(operation.state));
    return;
  }
}

function progressOf(progress: OperationResource['steps'][number]['progress']): string {
  if (progress === undefined) return '';
  const { bytes, totalBytes } = progress;
  return totalBytes === null ? ` ${bytes} bytes` : ` ${bytes} of ${totalBytes} bytes`;
}

/** The answer to a request for an operation, followed to its end where that is wanted. */
export async function showAsked(session: Session, asked: SandboxCreated, wait: boolean): Promise<void> {
  if (wait && asked.operation !== null) {
    await watchOperation(session, asked.operation.id);
    return;
  }
  await show(session.terminal(), asked, () => [
    `sandbox     ${asked.sandbox.id}`,
    `state       ${asked.sandbox.observedState}`,
    `operation   ${asked.operation === null ? 'none: it is so already' : `${asked.operation.id} (berth op watch)`}`,
  ]);
}

export function exitCodeOfOperation(state: string): number {
  if (state === 'succeeded') return 0;
  return state === 'parked' ? EXIT_OPERATION_PARKED : EXIT_OPERATION_FAILED;
}

/** The decision names the step and the number of the park that was looked at, so that a stale one has no effect. */
async function decide(
  session: Session,
  id: string,
  decision: 'retry' | 'abort',
  input: Correction = {},
): Promise<void> {
  const { park, state } = await operationOf(session, id);
  if (park === null)
    throw new CliError(`Operation ${id} is ${state}: only a parked one waits for a decision.`);
  const { credential, ...rest } = input;
  const corrected = { ...rest, ...(credential === undefined ? {} : { credentialId: credential }) };
  const correction = Object.keys(corrected).length > 0 ? { input: corrected } : {};
  const body = { step: park.step, parkNo: park.parkNo, ...correction };
  await showOperation(
    session,
    await session.api().post(`${operationPath(id)}/${decision}`, body, OperationSchema),
  );
}

async function showOperation(session: Session, operation: OperationResource): Promise<void> {
  await show(session.terminal(), operation, () => [
    `operation  ${operation.id}`,
    `kind       ${operation.kind}`,
    `sandbox    ${operation.sandboxId}`,
    `state      ${operation.state}`,
    ...(operation.park
      ? [
          `parked     ${operation.park.step}: ${operation.park.failure?.message ?? ''}`,
          ...(operation.park.check === undefined ? [] : [`check      ${operation.park.check}`]),
          `decide     berth op retry|abort ${operation.id}`,
        ]
      : []),
    ...Object.entries(operation.result ?? {}).map(([name, value]) => `result     ${name}: ${String(value)}`),
    ...(operation.failure ? [`failure    ${operation.failure.message} (${operation.failure.code})`] : []),
    ...(operation.steps.length > 0 ? ['', ...stepLines(operation.steps)] : []),
  ]);
}

function stepLines(steps: OperationResource['steps']): string[] {
  return tableOf(
    ['STEP', 'STATE', 'ATTEMPTS', 'TOOK'],
    steps.map(({ name, state, attempts, startedAt, finishedAt }) => [
      name,
      state,
      String(attempts),
      finishedAt === null ? '-' : `${Date.parse(finishedAt) - Date.parse(startedAt)} ms`,
    ]),
  );
}
