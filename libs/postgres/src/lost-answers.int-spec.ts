import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { v7 as uuidv7 } from 'uuid';
import { endFromExitRecord, execId, isDomainError, type ExecId, type SandboxId } from '#domain';
import { exitRecordOf } from '../../../test/fakes/exit-record.js';
import { runningStack } from '../../../test/stack/running-stack.js';
import { connectionOptions, Database } from './database.js';
import { PostgresExecStore } from './stores/exec.store.js';
import { createTestDatabase, type TestDatabase } from './testing-database.js';
import { chunkOf, HOST, newExec, runningSandbox } from './testing-rows.js';
import { TestingLine } from './testing-line.js';
import { PostgresWakeSender } from './wake.js';

const ROUND_TRIPS_MAX = 20;
const TEST_TIMEOUT_MS = 60_000;
const CHUNK = chunkOf(0, 0, new TextEncoder().encode('hello\n'));

let test: TestDatabase;
let line: TestingLine;
/** By way of a line that loses answers. */
let cut: { database: Database; execs: PostgresExecStore };
let sure: PostgresExecStore;
let sandbox: SandboxId;

beforeAll(async () => {
  test = await createTestDatabase(runningStack().databaseUrl);
  line = await TestingLine.to(test.url);
  const database = await Database.connect({
    url: line.url,
    applicationName: 'cut',
    onIdleError: () => undefined,
  });
  const wakes = new PostgresWakeSender(test.database, () => undefined);
  cut = { database, execs: new PostgresExecStore(database, wakes) };
  sure = new PostgresExecStore(test.database, wakes);
  sandbox = await runningSandbox(test.database, 'large');
});
afterAll(async () => {
  await cut.database.close();
  await line.close();
  await test.drop();
});

const STEPS = ['create', 'claim', 'append', 'markRunning', 'requestCancel', 'end'] as const;
type Step = (typeof STEPS)[number];

async function take(step: Step, execs: PostgresExecStore, id: ExecId): Promise<unknown> {
  switch (step) {
    case 'create':
      return await execs.create(newExec(sandbox, { id }));
    case 'claim':
      return await execs.claim(id, HOST);
    case 'append':
      return await execs.append(id, CHUNK);
    case 'markRunning':
      return await execs.markRunning(id);
    case 'requestCancel':
      return await execs.requestCancel(id);
    case 'end':
      return await execs.end(
        id,
        ['starting', 'running'],
        endFromExitRecord(exitRecordOf({ endPosition: CHUNK.endPosition, stdoutBytes: 6 })),
      );
  }
}

/** What is the same for every exec that came this far in the same way. */
async function standing(id: ExecId): Promise<unknown> {
  const { state, committedPosition, stdoutBytes, exitCode, generation, cancelRequestedAt } =
    await sure.get(id);
  const chunks = await sure.readChunks(id, 0, 1_000_000);
  return {
    state,
    committedPosition,
    stdoutBytes,
    exitCode,
    generation,
    cancelWasRequested: cancelRequestedAt !== null,
    output: Buffer.concat(chunks.map(({ frames }) => frames)).toString('hex'),
  };
}

describe('a change whose answer was lost after it had been committed', () => {
  it.each(STEPS)(
    '%s: has its effect once when it is asked for again, whichever answer was lost',
    async (step) => {
      const before = STEPS.slice(0, STEPS.indexOf(step));
      const undisturbed = execId(uuidv7());
      for (const one of [...before, step]) await take(one, sure, undisturbed);
      const expected = await standing(undisturbed);
      let losses = 0;
      for (let n = 1; n <= ROUND_TRIPS_MAX; n += 1) {
        const id = execId(uuidv7());
        for (const one of before) await take(one, sure, id);
        line.loseAnswer(n);
        const first = await take(step, cut.execs, id).catch((error: unknown) => error);
        const isLost = line.hasLost();
        line.loseAnswer(Infinity);
        if (isLost) {
          losses += 1;
          expect(isDomainError(first, 'dependency_unavailable')).toBe(true);
          await take(step, cut.execs, id);
        }
        expect(await standing(id)).toEqual(expected);
        if (!isLost) break;
      }
      expect(losses).toBeGreaterThan(0);
      expect(losses).toBeLessThan(ROUND_TRIPS_MAX);
    },
    TEST_TIMEOUT_MS,
  );
});

describe('a database that is at its limits', () => {
  it(
    'answers those who wait too long for a connection as one that is away, and the next one as ever',
    async () => {
      const holding = Array.from({ length: 20 }, async () => {
        await cut.database.query('SELECT pg_sleep(5)');
      });
      const late = await cut.execs.get(execId(uuidv7())).catch((error: unknown) => error);
      expect(isDomainError(late, 'dependency_unavailable')).toBe(true);
      await Promise.all(holding);
      await expect(cut.execs.get(execId(uuidv7()))).rejects.toMatchObject({ code: 'not_found' });
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'makes nobody wait longer than a statement may for a row that somebody holds, and loses nothing',
    async () => {
      const id = execId(uuidv7());
      for (const step of ['create', 'claim'] as const) await take(step, sure, id);
      const holder = new pg.Client(connectionOptions(test.url));
      await holder.connect();
      await holder.query('BEGIN');
      await holder.query('SELECT id FROM execs WHERE id = $1 FOR UPDATE', [id]);
      const waiting = await take('append', cut.execs, id).catch((error: unknown) => error);
      expect(isDomainError(waiting, 'dependency_unavailable')).toBe(true);
      await holder.end();
      await expect(take('append', cut.execs, id)).resolves.toBe(true);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'that ends one of two which wait for each other lets both have their effect',
    async () => {
      const [one, other] = [execId(uuidv7()), execId(uuidv7())];
      for (const id of [one, other]) await take('create', sure, id);
      const reached = { one: gate(), other: gate() };
      const cross = async (first: ExecId, second: ExecId, mine: Gate, theirs: Gate): Promise<void> => {
        await test.database.transaction(async (sql) => {
          const touch = 'UPDATE execs SET owner_id = owner_id WHERE id = $1';
          await sql(touch, [first]);
          mine.open();
          await theirs.opened;
          await sql(touch, [second]);
        });
      };
      await Promise.all([
        cross(one, other, reached.one, reached.other),
        cross(other, one, reached.other, reached.one),
      ]);
    },
    TEST_TIMEOUT_MS,
  );
});

interface Gate {
  readonly opened: Promise<void>;
  open(): void;
}

function gate(): Gate {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open: () => open() };
}
