import {
  add,
  describeTotals,
  goOutput,
  readFuzzTests,
  readGoReport,
  readJestReport,
} from './test-results.js';

describe('the totals of a test run', () => {
  it('count what jest reports, and a suite that could not be loaded as a failure', () => {
    const { totals, failures } = readJestReport(
      JSON.stringify({
        numPassedTests: 7,
        numFailedTests: 1,
        numPendingTests: 2,
        numTodoTests: 1,
        numRuntimeErrorTestSuites: 1,
        testResults: [
          { name: 'good.spec.ts', status: 'passed', message: '' },
          { name: 'bad.spec.ts', status: 'failed', message: 'expected 1, got 2\n' },
        ],
      }),
    );
    expect(totals).toEqual({ passed: 7, failed: 2, skipped: 3 });
    expect(failures).toBe('bad.spec.ts\nexpected 1, got 2');
  });

  it('count the tests that Go reports, and not its packages', () => {
    const report = [
      { Action: 'start', Package: 'a' },
      { Action: 'pass', Package: 'a', Test: 'TestOne' },
      { Action: 'skip', Package: 'a', Test: 'TestTwo' },
      { Action: 'pass', Package: 'a' },
      { Action: 'fail', Package: 'b', Test: 'TestThree' },
      { Action: 'fail', Package: 'b' },
    ];
    expect(readGoReport(lines(report))).toEqual({ passed: 1, failed: 1, skipped: 1 });
  });

  it('count a Go package that does not compile as one failure', () => {
    const report = `# berth/broken\nbroken.go:1: syntax error\n${lines([{ Action: 'fail', Package: 'broken' }])}`;
    expect(readGoReport(report)).toEqual({ passed: 0, failed: 1, skipped: 0 });
  });

  it('know the fuzz tests of each Go package from the list that Go prints', () => {
    const list = 'FuzzOne\nFuzzTwo\nok  \tx/a\t0.01s\n?   \tx/b\t[no test files]\nok  \tx/c\t0.01s\n';
    expect(readFuzzTests(list)).toEqual([
      { packageName: 'x/a', name: 'FuzzOne' },
      { packageName: 'x/a', name: 'FuzzTwo' },
    ]);
  });

  it('add up, and end as one plain line', () => {
    const sum = add({ passed: 1, failed: 2, skipped: 3 }, { passed: 10, failed: 0, skipped: 0 });
    expect(describeTotals(sum)).toBe('11 passed, 2 failed, 3 skipped');
  });

  it('leave the text that Go printed readable', () => {
    const report = lines([{ Action: 'output', Output: '--- FAIL: TestThree\n' }, { Action: 'fail' }]);
    expect(goOutput(report)).toBe('--- FAIL: TestThree\n');
  });

  function lines(events: readonly object[]): string {
    return `${events.map((event) => JSON.stringify(event)).join('\n')}\n`;
  }
});
