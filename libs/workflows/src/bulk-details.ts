import type { BulkProgress } from '#activities';
import { BULK_ITEM_STATES } from '#domain';
import { bulkWorkflowId, type BulkInput } from './contract.js';

/** What an engineer reads in Temporal's Web UI: how far it is, and at a pause how to decide it. */
export function bulkDetailsOf({ bulkId, action }: BulkInput, progress: BulkProgress): string {
  const { state, counts, pause, round } = progress;
  const total = BULK_ITEM_STATES.reduce((sum, name) => sum + counts[name], 0);
  const left = counts.pending + counts.running;
  return [
    `**${action}** of ${total} sandboxes is ${state}, round ${round}: ${total - left} of them have ended.`,
    ...(pause === null ? [] : pauseLines(bulkId, pause)),
    '',
    '| items | |',
    '| --- | --- |',
    ...BULK_ITEM_STATES.map((name) => `| ${name} | ${counts[name]} |`),
    '',
    `Which: \`berth bulk items ${bulkId} --state failed\``,
  ].join('\n');
}

function pauseLines(
  bulkId: string,
  { pauseNo, reason, deadlineAt }: NonNullable<BulkProgress['pause']>,
): string[] {
  const why = reason === null ? 'by request' : `(${reason.code}): ${reason.message}`;
  const signal = `temporal workflow signal --workflow-id ${bulkWorkflowId(bulkId)}`;
  return [
    '',
    `**Paused** ${why} Nothing more begins until it is resumed or canceled; at ${deadlineAt} it is canceled.`,
    '',
    `- \`berth bulk resume ${bulkId}\``,
    `- \`berth bulk cancel ${bulkId}\``,
    `- \`${signal} --name resume --input '${JSON.stringify({ pauseNo })}'\``,
    `- \`${signal} --name cancel\``,
  ];
}
