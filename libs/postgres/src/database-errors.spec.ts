import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { QueryFailedError } from 'typeorm';
import { translateError } from './database-errors.js';

const SECRET = 'a-value-of-a-request';

/** As TypeORM throws it, around what the driver says. */
const refused = (code: string, message: string): QueryFailedError =>
  new QueryFailedError(
    'INSERT INTO execs (request) VALUES ($1)',
    [{ env: { TOKEN: SECRET } }],
    Object.assign(new Error(message), {
      code,
      severity: 'ERROR',
      detail: `Failing row contains (${SECRET}).`,
    }),
  );

/** All that a log could find in it, with what caused it. */
const logged = (error: unknown): string => inspect(error, { depth: null });

describe('an error of the database', () => {
  it.each([
    ['23514', 'new row violates a check constraint'],
    ['25006', 'cannot execute INSERT in a read-only transaction'],
    ['53100', 'could not extend file'],
  ])('is logged without the values of its statement: %s', (code, message) => {
    const raw = refused(code, message);
    expect(logged(raw)).toContain(SECRET);
    const lines = logged(translateError(raw));
    expect(lines).not.toContain(SECRET);
    expect(lines).toContain(message);
  });

  it('keeps its code where the server refused the statement', () => {
    expect(translateError(refused('23514', 'No.'))).toMatchObject({ name: 'StatementError', code: '23514' });
  });

  it.each(['08006', '25006', '53300', '57P01', '58030'])('%s says that the database is away', (code) => {
    expect(translateError(refused(code, 'No.'))).toMatchObject({
      code: 'dependency_unavailable',
      dependency: 'postgres',
    });
  });
});
