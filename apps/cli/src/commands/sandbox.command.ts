import type { Command } from 'commander';
import { pageOf, SandboxCreatedSchema, SandboxSchema, type SandboxResource } from '../api/resources.js';
import { defaultOwner } from '../config.js';
import { show, tableOf } from '../terminal/terminal.js';
import type { Session } from './session.js';

const EXAMPLES = `
Examples:
  berth sandbox ls --owner u1
  berth sandbox create --owner u1 --name build --tier large
  berth --json sandbox get ID`;

export function addSandboxCommands(program: Command, session: Session): void {
  const sandbox = program
    .command('sandbox')
    .description('Lists, creates and shows sandboxes.')
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
  sandbox
    .command('create')
    .description('Creates a sandbox, or starts the one that has this owner and name.')
    .option('-o, --owner <name>', 'its owner (default: BERTH_OWNER, or you)')
    .option('-n, --name <name>', 'its name (default: "default")')
    .option('-i, --image <image>', 'its image (default: the base image)')
    .option('--tier <tier>', 'small, medium or large')
    .action(async (options: { owner?: string; name?: string; image?: string; tier?: string }) => {
      const wanted = { ...options, owner: options.owner ?? defaultOwner() };
      const created = await session.api().post('/v1/sandboxes', wanted, SandboxCreatedSchema);
      await show(session.terminal(), created, () => [
        ...linesOf(created.sandbox),
        `operation   ${created.operation === null ? 'none: it runs' : `${created.operation.id} (berth op watch)`}`,
      ]);
    });
  sandbox
    .command('get')
    .description('Shows one sandbox.')
    .argument('<id>')
    .action(async (id: string) => {
      const found = await session.api().get(`/v1/sandboxes/${encodeURIComponent(id)}`, SandboxSchema);
      await show(session.terminal(), found, () => linesOf(found));
    });
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
    ...(sandbox.failure ? [`failure     ${sandbox.failure.message} (${sandbox.failure.code})`] : []),
  ];
}
