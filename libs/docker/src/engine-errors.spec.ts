import { DomainError } from '#domain';
import { EngineDeadlineError, statusOf, translateEngineError } from './engine-errors.js';

const answered = (statusCode: number, message: string): Error =>
  Object.assign(new Error(`(HTTP code ${statusCode}) ${message}`), { statusCode });
const socketError = (code: string): Error => Object.assign(new Error(`connect ${code}`), { code });

describe('what a failed call to the engine means', () => {
  it.each([
    ['no socket', socketError('ENOENT')],
    ['nobody listens', socketError('ECONNREFUSED')],
    ['a reset', socketError('ECONNRESET')],
    ['no permission', socketError('EACCES')],
    ['no answer in time', new EngineDeadlineError('start the container', 10)],
    ['a proxy without an engine', answered(503, 'unavailable')],
    ['an engine without containerd', answered(500, 'connection error: desc = "transport is closing"')],
    [
      'an engine whose containerd hangs',
      answered(500, 'server error - timed out waiting for server handshake: unavailable '),
    ],
    ['an engine that lost containerd', answered(500, 'error reading from server: EOF: unavailable')],
  ])('is an engine that is away: %s', (_name, error) => {
    const translated = translateEngineError(error, 'start the container');
    expect(translated).toMatchObject({ code: 'dependency_unavailable', dependency: 'docker' });
    expect(translated.transient).toBe(true);
  });

  it('is a full disk where the engine says so, whatever the status', () => {
    const error = answered(500, 'mkdir /var/lib/docker/x: no space left on device');
    expect(translateEngineError(error, 'create a volume').code).toBe('disk_pressure');
  });

  it('is a failed container otherwise, with the reason for operators only', () => {
    const error = answered(500, 'OCI runtime create failed: resource temporarily unavailable: unknown');
    const translated = translateEngineError(error, 'start the container');
    expect(translated.code).toBe('container_failed');
    expect(translated.message).not.toContain('OCI');
    expect(translated.detail).toContain('OCI');
  });

  it('keeps the status readable and what is translated already', () => {
    const translated = translateEngineError(answered(409, 'Conflict'), 'create a container');
    expect(statusOf(translated)).toBe(409);
    expect(translateEngineError(translated, 'again')).toBe(translated);
    expect(statusOf(new DomainError('internal', 'x'))).toBeUndefined();
  });
});
