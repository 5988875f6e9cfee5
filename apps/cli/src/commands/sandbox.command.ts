import type { Command } from 'commander';
import { pageOf, SandboxCreatedSchema, SandboxSchema, type SandboxResource } from '../api/resources.js';
import { defaultOwner } from '../config.js';
import { show, tableOf } from '../terminal/terminal.js';
import { showAsked } from './operation.command.js';
import { addSettingsOptions, settingsOf, type SettingsOptions } from './sandbox-settings.js';
import type { Session } from './session.js';

const EXAMPLES = `
Examples:
  berth sandbox ls --owner u1
  berth sandbox create --owner u1 --name build --tier large
  berth sandbox restart ID --wait
  berth sandbox set ID --health-http 8080/healthz --restart-policy always --idle-stop 3600
  berth sandbox restore ID SNAPSHOT --wait
  berth sandbox change ID --tier large
  berth --json sandbox get ID`;

export function addSandboxCommands(program: Command, session: Session): void {
  const sandbox = program
    .command('sandbox')
    .description('Lists, creates, shows, starts, stops and deletes sandboxes.')
    .addHelpText('after', EXAMPLES);
  sandbox
    .command('ls')
    .description('Lists sandboxes.')
    .option('-o, --owner <name>', 'only of this owner')
    .action(async (options: { owner?: string }) => {
      const query = options.owner === undefined ? '' : `?owner=${encodeURIComponent(options.owner)}`;
      const page = await session.api().get(`/v1/sandboxes${query}`, pageOf(SandboxSchema));
      await show(session.terminal(), page, () =>
        tableOf(
          ['ID', 'OWNER', 'NAME', 'STATE', 'TIER', 'IMAGE'],
          page.items.map((one) => [one.id, one.owner, one.name, one.observedState, one.tier, one.image]),
        ),
      );
    });
  const create = sandbox
    .command('create')
    .description('Creates a sandbox, or starts the one that has this owner and name.')
    .option('-o, --owner <name>', 'its owner (default: BERTH_OWNER, or you)')
    .option('-n, --name <name>', 'its name (default: "default")')
    .option('-i, --image <image>', 'its image (default: the base image)')
    .option('--tier <tier>', 'small, medium or large')
    .option('--snapshot <id>', 'begin with the workspace of this snapshot');
  addSettingsOptions(create).action(async (options: CreateOptions) => {
    const { owner = defaultOwner(), name, image, tier, snapshot } = options;
    const wanted = { owner, name, image, tier, snapshotId: snapshot, ...settingsOf(options) };
    const created = await session.api().post('/v1/sandboxes', wanted, SandboxCreatedSchema);
    await show(session.terminal(), created, () => [
      ...linesOf(created.sandbox),
      `operation   ${created.operation === null ? 'none: it runs' : `${created.operation.id} (berth op watch)`}`,
    ]);
  });
  const set = sandbox.command('set').description('Changes the settings of a sandbox.').argument('<id>');
  addSettingsOptions(set).action(async (id: string, options: SettingsOptions) => {
    const path = `/v1/sandboxes/${encodeURIComponent(id)}`;
    const changed = await session.api().patch(path, settingsOf(options), SandboxSchema);
    await show(session.terminal(), changed, () => linesOf(changed));
  });
  sandbox
    .command('get')
    .description('Shows one sandbox.')
    .argument('<id>')
    .action(async (id: string) => {
      const found = await session.api().get(`/v1/sandboxes/${encodeURIComponent(id)}`, SandboxSchema);
      await show(session.terminal(), found, () => linesOf(found));
    });
  addLifecycleCommands(sandbox, session);
  addReplacingCommands(sandbox, session);
}

interface CreateOptions extends SettingsOptions {
  readonly owner?: string;
  readonly snapshot?: string;
  readonly name?: string;
  readonly image?: string;
  readonly tier?: string;
}

interface LifecycleOptions {
  readonly wait?: boolean;
  readonly finish?: boolean;
  readonly snapshot?: boolean;
}

const LIFECYCLE = {
  start: 'Starts a sandbox.',
  stop: 'Stops a sandbox; its workspace stays.',
  restart: 'Restarts a sandbox in a new container.',
  rm: 'Deletes a sandbox with its workspace; its execs and their output stay.',
} as const;

function addLifecycleCommands(sandbox: Command, session: Session): void {
  for (const [name, description] of Object.entries(LIFECYCLE)) {
    const command = sandbox
      .command(name)
      .description(description)
      .argument('<id>')
      .option('--wait', 'follow the operation until it ends or parks');
    if (name === 'stop' || name === 'restart') {
      command.option('--finish', 'let the execs that run finish first');
    }
    if (name === 'restart') {
      command.option('--snapshot', 'begin with a snapshot').option('--no-snapshot', 'begin without one');
    }
    command.action(async (id: string, options: LifecycleOptions) => {
      await changeSandbox(session, name, id, options);
    });
  }
}

function addReplacingCommands(sandbox: Command, session: Session): void {
  sandbox
    .command('restore')
    .description('Gives a sandbox the workspace of a snapshot in place of its own.')
    .argument('<id>')
    .argument('<snapshot>')
    .option('--wait', 'follow the operation until it ends or parks')
    .option('--finish', 'let the execs that run finish first')
    .action(async (id: string, snapshotId: string, { wait = false, finish = false }: LifecycleOptions) => {
      const path = `/v1/sandboxes/${encodeURIComponent(id)}/restore`;
      const body = bodyOf(finish, { snapshotId });
      await showAsked(session, await session.api().post(path, body, SandboxCreatedSchema), wait);
    });
  sandbox
    .command('change')
    .description('Gives a sandbox another image or tier: a restart, if it runs.')
    .argument('<id>')
    .option('-i, --image <image>', 'the image from now on')
    .option('--tier <tier>', 'the tier from now on')
    .option('--wait', 'follow the operation until it ends or parks')
    .option('--finish', 'let the execs that run finish first')
    .action(async (id: string, options: LifecycleOptions & { image?: string; tier?: string }) => {
      const { wait = false, finish = false, ...wanted } = options;
      const path = `/v1/sandboxes/${encodeURIComponent(id)}/change`;
      const body = bodyOf(finish, wanted);
      await showAsked(session, await session.api().post(path, body, SandboxCreatedSchema), wait);
    });
}

/** Undefined where there is nothing to say. */
function bodyOf(finish: boolean, wanted: object): object | undefined {
  const body = { ...wanted, ...(finish ? { running: 'wait' } : {}) };
  return Object.keys(body).length === 0 ? undefined : body;
}

async function changeSandbox(
  session: Session,
  name: string,
  id: string,
  { wait = false, finish = false, snapshot }: LifecycleOptions,
): Promise<void> {
  const path = `/v1/sandboxes/${encodeURIComponent(id)}`;
  const body = bodyOf(finish, snapshot === undefined ? {} : { snapshot });
  const asked =
    name === 'rm'
      ? await session.api().delete(path, SandboxCreatedSchema)
      : await session.api().post(`${path}/${name}`, body, SandboxCreatedSchema);
  await showAsked(session, asked, wait);
}

function linesOf(sandbox: SandboxResource): string[] {
  return [
    `sandbox     ${sandbox.id}`,
    `owner       ${sandbox.owner}`,
    `name        ${sandbox.name}`,
    `state       ${sandbox.observedState}`,
    `image       ${sandbox.image}`,
    `tier        ${sandbox.tier}`,
    `generation  ${sandbox.generation}`,
    `created     ${sandbox.createdAt}`,
    `health      ${sandbox.health?.status ?? 'none'}${sandbox.health?.reason ? `: ${sandbox.health.reason}` : ''}`,
    `restarts    ${sandbox.restartPolicy ?? ''}${sandbox.restartDue ? `, next at ${sandbox.restartDue.at}` : ''}`,
    `idle stop   ${sandbox.idleStopSeconds ? `${sandbox.idleStopSeconds} s` : 'off'}`,
    ...(sandbox.failure ? [`failure     ${sandbox.failure.message} (${sandbox.failure.code})`] : []),
  ];
}
