/** How many tests passed, failed and were skipped, summed over jest and Go. */
export interface Totals {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export const NO_TESTS: Totals = { passed: 0, failed: 0, skipped: 0 };
/** A step that is not made of tests counts only when it fails. */
export const ONE_PASS: Totals = { passed: 1, failed: 0, skipped: 0 };
export const ONE_FAILURE: Totals = { passed: 0, failed: 1, skipped: 0 };

interface JestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly numRuntimeErrorTestSuites: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message: string;
  }[];
}

interface GoTestEvent {
  readonly Action?: string;
  readonly Package?: string;
  readonly Test?: string;
}

export function add(a: Totals, b: Totals): Totals {
  return { passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped };
}

export function describeTotals({ passed, failed, skipped }: Totals): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

/** A suite that could not even be loaded has no tests, and counts as one failure. */
export function readJestReport(text: string): { totals: Totals; failures: string } {
  const report = JSON.parse(text) as JestReport;
  const failed = report.testResults.filter(({ status }) => status === 'failed');
  return {
    totals: {
      passed: report.numPassedTests,
      failed: report.numFailedTests + report.numRuntimeErrorTestSuites,
      skipped: report.numPendingTests + report.numTodoTests,
    },
    failures: failed.map(({ name, message }) => `${name}\n${message.trimEnd()}`).join('\n\n'),
  };
}

/** Reads the lines of `go test -json`. A package that failed without a failed test (it did not compile) counts as one failure. */
export function readGoReport(text: string): Totals {
  const totals = { passed: 0, failed: 0, skipped: 0 };
  const packagesWithFailedTest = new Set<string | undefined>();
  for (const line of text.split('\n')) {
    const event = parseEvent(line);
    if (event === undefined) continue;
    if (event.Test === undefined) {
      if (event.Action === 'fail' && !packagesWithFailedTest.has(event.Package)) totals.failed += 1;
      continue;
    }
    if (event.Action === 'pass') totals.passed += 1;
    if (event.Action === 'skip') totals.skipped += 1;
    if (event.Action !== 'fail') continue;
    totals.failed += 1;
    packagesWithFailedTest.add(event.Package);
  }
  return totals;
}

/** Reads what `go test -list` prints: the names in a package, then a line that ends it with the name of the package. */
export function readFuzzTests(
  text: string,
): readonly { readonly packageName: string; readonly name: string }[] {
  const found: { packageName: string; name: string }[] = [];
  let names: string[] = [];
  for (const line of text.split('\n')) {
    const packageName = /^ok\s+(\S+)/.exec(line)?.[1];
    if (line.startsWith('Fuzz')) names.push(line.trim());
    else if (packageName !== undefined) {
      found.push(...names.map((name) => ({ packageName, name })));
      names = [];
    }
  }
  return found;
}

/** What failed packages and tests have printed: the rest of the stream is of no interest to a reader. */
export function goOutput(text: string): string {
  return text
    .split('\n')
    .map((line) => (JSON.parse(line.startsWith('{') ? line : '{}') as { Output?: string }).Output ?? '')
    .join('');
}

function parseEvent(line: string): GoTestEvent | undefined {
  // The compiler's own complaints stand between the events as plain text.
  return line.startsWith('{') ? (JSON.parse(line) as GoTestEvent) : undefined;
}
