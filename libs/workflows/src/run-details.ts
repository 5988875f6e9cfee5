import { parkAdvice, type Park, type StepRecord } from '#domain';

const MARKS: Readonly<Record<StepRecord['state'], string>> = {
  running: '…',
  succeeded: '✓',
  failed: '✗',
};

/** What an engineer reads in Temporal's Web UI: how far the run is, and at a parked one how to decide it. */
export function detailsOf(operationId: string, steps: readonly StepRecord[], park: Park | undefined): string {
  const table = [
    '| step | | attempts | began | took |',
    '| --- | --- | --- | --- | --- |',
    ...steps.map(rowOf),
  ];
  return [...(park === undefined ? [] : [...parkLines(operationId, park), '']), ...table].join('\n');
}

function rowOf({ name, state, attempts, startedAt, finishedAt }: StepRecord): string {
  const took = finishedAt === null ? '' : `${Date.parse(finishedAt) - Date.parse(startedAt)} ms`;
  return `| ${name} | ${MARKS[state]} | ${attempts} | ${startedAt} | ${took} |`;
}

function parkLines(operationId: string, park: Park): string[] {
  const { check, retry, abort } = parkAdvice(operationId, park);
  return [
    `**Parked at \`${park.step}\`** (${park.failure.code}): ${park.failure.message}`,
    '',
    `Check: ${check}`,
    '',
    `Waits for \`retry\` or \`abort\` until ${park.deadlineAt}, then gives up and undoes what was done.`,
    '',
    ...[retry, abort].flatMap(({ cli, curl, temporal }) => [
      `- \`${cli}\``,
      `- \`${curl}\``,
      `- \`${temporal}\``,
    ]),
  ];
}
