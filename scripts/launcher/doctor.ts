import { parseDoctorArguments } from './arguments.js';
import { runChecks, type Check } from './checks.js';
import { SetupProblem } from './setup-problem.js';
import { layOutState } from './state-directory.js';

const MARKS = { ok: 'ok', warning: 'note', missing: 'MISSING' } as const;

/** `npm run doctor`: what this machine has of what Berth needs, and how Berth's own processes are. Changes nothing. */
export async function main(argv: readonly string[], root: string): Promise<number> {
  try {
    const options = parseDoctorArguments(argv, process.env);
    const checks = await runChecks(root, layOutState(options.stateDirectory, root), process.env);
    const isHealthy = checks.every(({ state }) => state !== 'missing');
    process.stdout.write(
      options.json ? `${JSON.stringify({ isHealthy, checks }, null, 2)}\n` : asTable(checks),
    );
    return isHealthy ? 0 : 1;
  } catch (error) {
    if (!(error instanceof SetupProblem)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 1;
  }
}

export function asTable(checks: readonly Check[]): string {
  const width = Math.max(...checks.map(({ name }) => name.length));
  const rows = checks.flatMap(({ name, state, detail, fix }) => [
    `  ${MARKS[state].padEnd(8)} ${name.padEnd(width)}  ${detail}`,
    ...(fix === undefined ? [] : [`  ${' '.repeat(8)} ${' '.repeat(width)}  fix: ${fix}`]),
  ]);
  return `${rows.join('\n')}\n`;
}
