import { mkdirSync } from 'node:fs';
import { parseTestArguments, type TestOptions, type TestStep } from './arguments.js';
import { runChecks } from './checks.js';
import { Reporter } from './reporter.js';
import { errorText, SetupInterrupted, SetupProblem } from './setup-problem.js';
import { layOutState, type StateDirectory } from './state-directory.js';
import { add, describeTotals, NO_TESTS, ONE_FAILURE, type Totals } from './test-results.js';
import { runChaos, runCheck, runGo, runJest, type StepOutcome, type StepPlace } from './test-steps.js';
import { startTestStack, tearDown, wipe } from './test-stack.js';

const NAME_WIDTH = 8;
const SECONDS_WIDTH = 8;
const SKIPPED: StepOutcome = { totals: { passed: 0, failed: 0, skipped: 1 }, output: '' };

interface FinishedStep {
  readonly name: string;
  readonly seconds: number;
  readonly totals: Totals;
}

/** `npm test`: every check and every test, on real components of its own. The last line holds the totals. */
export async function main(argv: readonly string[], root: string): Promise<number> {
  try {
    const options = parseTestArguments(argv);
    return await new TestRun(options, root).run();
  } catch (error) {
    if (!(error instanceof SetupProblem)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 1;
  }
}

class TestRun {
  private readonly interruption = new AbortController();
  private readonly reporter: Reporter;
  private readonly state: StateDirectory;
  private readonly finished: FinishedStep[] = [];

  constructor(
    private readonly options: TestOptions,
    private readonly root: string,
  ) {
    this.reporter = new Reporter(process.stdout, options.verbose);
    this.state = layOutState(options.stateDirectory, root);
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => this.interruption.abort());
  }

  async run(): Promise<number> {
    await this.tellCapabilities();
    if (!this.options.keep) await wipe(this.state, this.reporter);
    mkdirSync(this.state.logs, { recursive: true, mode: 0o700 });
    try {
      await this.runAll();
    } catch (error) {
      if (!(error instanceof SetupInterrupted)) throw error;
      this.finished.push({ name: 'interrupted', seconds: 0, totals: ONE_FAILURE });
    } finally {
      if (!this.options.keep) await tearDown(this.state, this.reporter);
    }
    return this.summarise();
  }

  private async runAll(): Promise<void> {
    const { root, state, options } = this;
    const place: StepPlace = {
      root,
      logs: state.logs,
      verbose: options.verbose,
      signal: this.interruption.signal,
      env: process.env,
    };
    await this.step('lint', () => runCheck('lint', 'lint', place));
    await this.step('types', () => runCheck('types', 'typecheck', place));
    await this.step('runner', () => runGo(place));
    await this.step('unit', () => runJest('unit', 'test:unit', place));
    if (options.steps.includes('int') || options.steps.includes('e2e')) await this.runOnStack(place);
    // On an installation of its own, because it kills every part of it.
    await this.step('chaos', () => runChaos(place));
  }

  private async runOnStack(place: StepPlace): Promise<void> {
    const stack = await this.bringUp(place);
    const realPlace = { ...place, env: { ...process.env, ...stack } };
    await this.step('int', () => this.onStack(stack, () => runJest('int', 'test:int', realPlace)));
    await this.step('e2e', () => this.onStack(stack, () => runJest('e2e', 'test:e2e', realPlace)));
  }

  private async bringUp(place: StepPlace): Promise<NodeJS.ProcessEnv | undefined> {
    const { root, state, reporter } = this;
    const onlyInfra = !this.options.steps.includes('e2e');
    let stack: NodeJS.ProcessEnv | undefined;
    await this.measure('stack', async () => {
      const run = await startTestStack({ root, state, reporter, signal: place.signal, onlyInfra });
      stack = { BERTH_TEST_STATE_DIR: state.root, DOCKER_HOST: run.dockerHost };
      return { totals: NO_TESTS, output: '' };
    });
    return stack;
  }

  /** Without the components there is nothing to test on: a failure, unless the caller has allowed it. */
  private async onStack(
    stack: NodeJS.ProcessEnv | undefined,
    work: () => Promise<StepOutcome>,
  ): Promise<StepOutcome> {
    if (stack !== undefined) return work();
    if (this.options.allowMissing) return SKIPPED;
    return { totals: ONE_FAILURE, output: 'The components did not come up, so these tests did not run.' };
  }

  private async step(name: TestStep, work: () => Promise<StepOutcome>): Promise<void> {
    if (this.options.steps.includes(name)) await this.measure(name, work);
  }

  private async measure(name: string, work: () => Promise<StepOutcome>): Promise<void> {
    const started = Date.now();
    let outcome: StepOutcome = { totals: ONE_FAILURE, output: '' };
    await this.reporter
      .step(name, async () => {
        outcome = await this.outcomeOf(work);
        const { totals, output } = outcome;
        if (totals.failed > 0) throw new Error(describeTotals(totals));
        if (output !== '') this.reporter.line(output);
        return {
          verb: 'passed',
          detail: totals === NO_TESTS ? '' : describeTotals(totals),
          value: undefined,
        };
      })
      .catch((error: unknown) => {
        if (outcome.totals.failed === 0) throw error;
        this.reporter.line(outcome.output);
      });
    this.finished.push({ name, seconds: (Date.now() - started) / 1000, totals: outcome.totals });
  }

  private async outcomeOf(work: () => Promise<StepOutcome>): Promise<StepOutcome> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof SetupInterrupted) throw error;
      if (error instanceof SetupProblem && this.options.allowMissing)
        return { ...SKIPPED, output: error.message };
      return { totals: ONE_FAILURE, output: errorText(error) };
    }
  }

  private async tellCapabilities(): Promise<void> {
    const checks = await runChecks(this.root, this.state, process.env);
    const told = checks.filter(({ name }) => !name.startsWith('berth') && !name.startsWith(' '));
    const words = told.map(
      ({ name, state, detail }) => `${name} ${state === 'missing' ? 'MISSING' : detail}`,
    );
    this.reporter.line(`Capabilities: ${words.join(' · ')}`);
  }

  private summarise(): number {
    const { reporter, finished } = this;
    reporter.line();
    for (const { name, seconds, totals } of finished) {
      const time = `${seconds.toFixed(1)} s`.padStart(SECONDS_WIDTH);
      reporter.line(`  ${name.padEnd(NAME_WIDTH)} ${time}  ${describeTotals(totals)}`);
    }
    const total = finished.reduce((sum, { seconds }) => sum + seconds, 0);
    reporter.line(
      `  ${'all'.padEnd(NAME_WIDTH)} ${`${total.toFixed(1)} s`.padStart(SECONDS_WIDTH)}  logs in ${this.state.logs}`,
    );
    const totals = finished.map((step) => step.totals).reduce(add, NO_TESTS);
    reporter.line(describeTotals(totals));
    return totals.failed === 0 ? 0 : 1;
  }
}
