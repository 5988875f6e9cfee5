import { DomainError, ERROR_CODES } from '#domain';
import { InvalidInputError, Problem, problemOf, STATUS_BY_CODE } from './problem.js';

describe('a problem', () => {
  it.each(ERROR_CODES)('has a status for %s and the shape that is published', (code) => {
    const { status, body, headers } = problemOf(new DomainError(code, 'What happened.'), 'r1');
    expect(status).toBe(STATUS_BY_CODE[code]);
    expect(Problem.parse(body)).toMatchObject({ code, status, requestId: 'r1' });
    expect('retry-after' in headers).toBe(status === 503 || status === 429);
  });

  it('says nothing about a bug but where the log is', () => {
    const { status, body } = problemOf(new TypeError('secret of the inside'), 'r1');
    expect(status).toBe(500);
    expect(JSON.stringify(body)).not.toContain('secret');
    const leak = new DomainError('spool_corrupt', 'At /var/lib', {
      detail: 'secret',
      cause: new Error('secret'),
    });
    expect(JSON.stringify(problemOf(leak, 'r1').body)).not.toMatch(/secret|var/);
  });

  it('names the dependency, when to come again, and what else helps', () => {
    const error = new DomainError('dependency_unavailable', 'Away.', {
      dependency: 'temporal',
      retryAfterSeconds: 7,
      extra: { execId: 'e1', status: 1 },
    });
    const { body, headers } = problemOf(error, 'r1');
    expect(body).toMatchObject({ dependency: 'temporal', execId: 'e1', status: 503 });
    expect(headers['retry-after']).toBe('7');
  });

  it('points at every field that is wrong', () => {
    const error = new InvalidInputError('Wrong.', [
      { pointer: '/a', message: 'is wrong' },
      { pointer: '/b', message: 'too' },
    ]);
    expect(problemOf(error, 'r1').body).toMatchObject({
      pointer: '/a',
      errors: [{ pointer: '/a' }, { pointer: '/b' }],
    });
  });
});
