import type { Command } from 'commander';
import { z } from 'zod';
import { pageOf, SandboxCreatedSchema, SnapshotSchema, type SnapshotResource } from '../api/resources.js';
import { note, show, tableOf } from '../terminal/terminal.js';
import { showAsked } from './operation.command.js';
import type { Session } from './session.js';

const EXAMPLES = `
Examples:
  berth snapshot create SANDBOX --wait
  berth snapshot ls SANDBOX
  berth sandbox restore SANDBOX SNAPSHOT --wait
  berth sandbox create --name copy --snapshot SNAPSHOT`;

export function addSnapshotCommands(program: Command, session: Session): void {
  const snapshot = program
    .command('snapshot')
    .description('Takes, lists, shows and deletes snapshots of workspaces.')
    .addHelpText('after', EXAMPLES);
  snapshot
    .command('create')
    .description('Takes a snapshot of the workspace of a sandbox; what runs goes on.')
    .argument('<sandbox>')
    .option('--wait', 'follow the operation until it ends or parks')
    .action(async (sandbox: string, { wait = false }: { wait?: boolean }) => {
      const path = `/v1/sandboxes/${encodeURIComponent(sandbox)}/snapshot`;
      await showAsked(session, await session.api().post(path, undefined, SandboxCreatedSchema), wait);
    });
  snapshot
    .command('ls')
    .alias('list')
    .description('Lists the snapshots of a sandbox, also of one that is deleted.')
    .argument('<sandbox>')
    .action(async (sandbox: string) => {
      const path = `/v1/sandboxes/${encodeURIComponent(sandbox)}/snapshots`;
      const page = await session.api().get(path, pageOf(SnapshotSchema));
      await show(session.terminal(), page, () =>
        tableOf(
          ['ID', 'STATE', 'ENTRIES', 'BYTES', 'CREATED'],
          page.items.map(({ id, state, summary, createdAt }) => [
            id,
            state,
            String(summary?.entries ?? '-'),
            String(summary?.bytes ?? '-'),
            createdAt,
          ]),
        ),
      );
    });
  snapshot
    .command('get')
    .description('Shows one snapshot.')
    .argument('<id>')
    .action(async (id: string) => {
      const found = await session.api().get(pathOf(id), SnapshotSchema);
      await show(session.terminal(), found, () => linesOf(found));
    });
  snapshot
    .command('rm')
    .alias('delete')
    .description('Deletes a snapshot that no operation needs.')
    .argument('<id>')
    .action(async (id: string) => {
      await session.api().delete(pathOf(id), z.null());
      note(session.terminal(), `deleted ${id}`);
    });
}

const pathOf = (id: string): string => `/v1/snapshots/${encodeURIComponent(id)}`;

function linesOf({ id, sandboxId, image, state, summary, createdAt }: SnapshotResource): string[] {
  return [
    `snapshot    ${id}`,
    `sandbox     ${sandboxId}`,
    `image       ${image}`,
    `state       ${state}`,
    `created     ${createdAt}`,
    ...Object.entries(summary ?? {}).map(([name, value]) => `${name.padEnd(11)} ${String(value)}`),
  ];
}
