import { expect, it } from '@jest/globals';
import type { LifecycleResult } from './lifecycle/result.js';
import type { BulkChaosResult } from './bulk/result.js';
import { addBulkRun, addLifecycleRun, addRun } from './proof.js';
import type { ChaosResult } from './result.js';

const PAGE = `# The proof

| date | commit | seed | machine | phases met | minutes | kills | execs | MiB compared | lost bytes | doubled bytes | second runs | wrong ends | without an end | forgotten | leaks | refused or stuck |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
| **all** | | | | | **0** | **0** | **0** | **0** | **0** | **0** | **0** | **0** | **0** | **0** | **0** | **0** |

What stands below stays.
`;

const result: ChaosResult = {
  seed: '5',
  startedAt: '2026-01-02T03:04:05.000Z',
  minutes: 2.6,
  kills: 25,
  injuries: [],
  execs: 200,
  states: {},
  kept: {},
  refusals: {},
  bytesRead: 3 * 1024 ** 2,
  socketConnections: 0,
  phases: { 'kill api': { E1: 1, E2: 2, E3: 3, E4: 4, E5: 5, E6: 6 } },
  endSeenAfterMs: [1, 2, 3],
  reads: undefined,
  readMs: { before: [1, 2, 3], between: [1, 2, 3], after: [1, 2, 3] },
  violations: [{ kind: 'leak', key: undefined, execId: undefined, detail: '', evidence: [] }],
};

it('adds each run as a row and adds up what was counted', () => {
  const page = addRun(addRun(PAGE, result, 'abc'), { ...result, seed: '6', kills: 100 }, 'def');
  const rows = page.split('\n').filter((line) => line.startsWith('| 20'));
  expect(rows.map((row) => row.split('|')[3]?.trim())).toEqual(['5', '6']);
  expect(rows[0]?.split('|')[5]?.trim()).toBe('1 · 2 · 3 · 4 · 5 · 6');
  const total = page.split('\n').find((line) => line.startsWith('| **all**'));
  expect(total).toBe(
    '| **all** | | | | | **6** | **125** | **400** | **6** | **0** | **0** | **0** | **0** | **0** | **0** | **2** | **0** |',
  );
  expect(page).toContain('What stands below stays.');
});

it('adds a run of the lifecycle to its own table', () => {
  const table = `| day | commit | seed | machine | phases met | minutes | kills | sandboxes | operations | parks retried | second containers | leaks | without end or reason | wrong states | workspaces | refused or stuck |
| --- |
| **lifecycle** | | | | | **0** | **0** | **0** | **0** | **0** | **0** | **0** | **0** | **0** | **0** | **0** |`;
  const ran = {
    seed: '7',
    startedAt: '2026-01-02T03:04:05.000Z',
    minutes: 3,
    injuries: [{ atMs: Date.parse('2026-01-02T03:04:05.500Z') }],
    sandboxes: 9,
    operations: [
      {
        steps: [
          { name: 'start_container', startedAt: '2026-01-02T03:04:05.000Z', finishedAt: null },
          { name: 'await_runner', startedAt: '2026-01-02T03:04:06.000Z', finishedAt: null },
        ],
        finishedAt: null,
      },
    ],
    parks: 2,
    broken: [{ kind: 'leak', detail: '' }],
  } as unknown as LifecycleResult;
  const page = addLifecycleRun(`${PAGE}\n${table}\n`, ran, 'abc');
  expect(page).toContain('| 0 · 1 · 0 · 0 · 0 · 0 · 0 | 3 | 1 | 9 | 1 | 2 | 0 | 1 | 0 | 0 | 0 | 0 |');
  expect(page).toContain('| **lifecycle** | | | | | **3** | **1** | **9** | **1** | **2** | **0** | **1** |');
});

it('adds a run of bulk operations to its own table', () => {
  const zeros = Array.from({ length: 13 }, () => '**0**').join(' | ');
  const table = `| bulk run | commit |\n| --- | --- |\n| **bulk** | | | | | ${zeros} |`;
  const ran = {
    seed: '8',
    startedAt: '2026-01-02T03:04:05.000Z',
    minutes: 4,
    injuries: [{}, {}],
    sandboxes: 12,
    phases: { B1: 1, B2: 2, B3: 3, B4: 4 },
    bulks: [{}, {}, {}],
    items: 36,
    exactItems: 20,
    controls: 5,
    broken: [{ kind: 'done twice', detail: '' }],
  } as unknown as BulkChaosResult;
  const page = addBulkRun(`${PAGE}\n${table}\n`, ran, 'abc');
  expect(page).toContain('| 1 · 2 · 3 · 4 | 4 | 2 | 12 | 3 | 36 | 5 | 1 | 0 | 0 | 0 | 0 | 0 | 0 |');
  expect(page).toContain('| **bulk** | | | | | **4** | **2** | **12** | **3** | **36** | **5** | **1** |');
});
