import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { requireGo } from './executables.js';
import { SetupProblem } from './setup-problem.js';
import {
  add,
  goOutput,
  NO_TESTS,
  ONE_FAILURE,
  ONE_PASS,
  readFuzzTests,
  readGoReport,
  readJestReport,
  type Totals,
} from './test-results.js';
import { runTool, type ToolResult } from './tool.js';

const CHECK_TIMEOUT_MS = 10 * 60 * 1000;
const TESTS_TIMEOUT_MS = 40 * 60 * 1000;
const OUTPUT_LINES_MAX = 150;
const CHAOS_KILLS = 25;
/** Inputs that each fuzz test tries. A number and not a time, so that a slow machine tries as many. */
const FUZZ_INPUTS = 20_000;

export interface StepPlace {
  readonly root: string;
  readonly logs: string;
  readonly verbose: boolean;
  readonly signal: AbortSignal;
  readonly env: NodeJS.ProcessEnv;
}

export interface StepOutcome {
  readonly totals: Totals;
  /** What a person needs to see of a failure. */
  readonly output: string;
}

/** A check that is no test: lint, types, build. */
export async function runCheck(name: string, script: string, place: StepPlace): Promise<StepOutcome> {
  const result = await run(name, 'npm', ['run', '--silent', script], place, CHECK_TIMEOUT_MS);
  return result.code === 0 ? passed(NO_TESTS) : { totals: ONE_FAILURE, output: tail(result) };
}

/** One of jest's projects, through its npm script. */
export async function runJest(name: string, script: string, place: StepPlace): Promise<StepOutcome> {
  const report = join(place.logs, `${name}.json`);
  rmSync(report, { force: true });
  const args = ['run', '--silent', script, '--', '--json', `--outputFile=${report}`];
  const result = await run(name, 'npm', args, place, TESTS_TIMEOUT_MS);
  const read = readReport(report);
  if (read === undefined) return { totals: ONE_FAILURE, output: tail(result) };
  if (result.code === 0) return passed(read.totals);
  if (read.totals.failed > 0) return { totals: read.totals, output: read.failures };
  // Jest can fail with every test passed, for instance when one of its worker processes was killed.
  return { totals: add(read.totals, ONE_FAILURE), output: tail({ ...result, stdout: '' }) };
}

/** The runner's vet and tests, and a bounded search by each of its fuzz tests. */
export async function runGo(place: StepPlace): Promise<StepOutcome> {
  const go = await requireGo('the runner, and runs its tests');
  const cwd = join(place.root, 'runner');
  const vet = await run('runner-vet', go, ['vet', './...'], { ...place, cwd }, CHECK_TIMEOUT_MS);
  const vetTotals = vet.code === 0 ? NO_TESTS : ONE_FAILURE;
  const test = await run('runner', go, ['test', '-json', './...'], { ...place, cwd }, TESTS_TIMEOUT_MS);
  const totals = readGoReport(test.stdout);
  const testTotals = test.code !== 0 && totals.failed === 0 ? add(totals, ONE_FAILURE) : totals;
  if (add(vetTotals, testTotals).failed === 0) return await runFuzz(go, testTotals, { ...place, cwd });
  const output = [vet.code === 0 ? '' : tail(vet), tail({ ...test, stdout: goOutput(test.stdout) })].join(
    '\n',
  );
  return { totals: add(vetTotals, testTotals), output };
}

/** What a fuzz test finds it writes into testdata/fuzz beside itself, where the next plain run tries it first. */
async function runFuzz(go: string, before: Totals, place: StepPlace & { cwd: string }): Promise<StepOutcome> {
  const listed = await run('runner-fuzz', go, ['test', '-list', '^Fuzz', './...'], place, CHECK_TIMEOUT_MS);
  const fuzzTests = readFuzzTests(listed.stdout);
  if (listed.code !== 0 || fuzzTests.length === 0) return { totals: ONE_FAILURE, output: tail(listed) };
  let totals = before;
  for (const { packageName, name } of fuzzTests) {
    const args = ['test', '-run', '^$', '-fuzz', `^${name}$`, '-fuzztime', `${FUZZ_INPUTS}x`, packageName];
    const result = await run(`runner-${name}`, go, args, place, CHECK_TIMEOUT_MS);
    if (result.code !== 0) return { totals: add(totals, ONE_FAILURE), output: tail(result) };
    totals = add(totals, ONE_PASS);
  }
  return passed(totals);
}

/** Kills parts of an installation while commands run in it. Its own output names the seed with which it runs again. */
export async function runChaos(place: StepPlace): Promise<StepOutcome> {
  if (process.getuid?.() !== 0) {
    throw new SetupProblem(
      'The chaos run was not started.',
      'only root may start a Docker engine of its own and kill processes in sandboxes.',
      'run npm test as root, or with --allow-missing',
    );
  }
  const args = ['run', '--silent', 'chaos', '--', 'exec', '--kills', String(CHAOS_KILLS)];
  const result = await run('chaos', 'npm', args, place, TESTS_TIMEOUT_MS);
  return result.code === 0 ? passed(ONE_PASS) : { totals: ONE_FAILURE, output: tail(result) };
}

function passed(totals: Totals): StepOutcome {
  return { totals, output: '' };
}

async function run(
  name: string,
  command: string,
  args: readonly string[],
  place: StepPlace & { cwd?: string },
  timeoutMs: number,
): Promise<ToolResult> {
  const logPath = join(place.logs, `test-${name}.log`);
  rmSync(logPath, { force: true });
  return runTool(command, args, {
    cwd: place.cwd ?? place.root,
    env: place.env,
    timeoutMs,
    logPath,
    signal: place.signal,
    verbose: place.verbose,
  });
}

function readReport(path: string): ReturnType<typeof readJestReport> | undefined {
  try {
    return readJestReport(readFileSync(path, 'utf8'));
  } catch {
    // No report: jest itself did not come to its end, and its output says why.
    return undefined;
  }
}

function tail({ stdout, stderr }: ToolResult): string {
  return `${stdout}\n${stderr}`.trim().split('\n').slice(-OUTPUT_LINES_MAX).join('\n');
}
