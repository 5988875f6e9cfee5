import { DomainError, limits, type ExecRequest, type StdinSource } from '#domain';
import type { ExecBody } from './exec.input.js';

/** What is stored and run, from what was asked: defaults filled in, a command line given to `sh -c`. */
export function execRequestOf(body: ExecBody): ExecRequest {
  return {
    argv: body.argv ?? ['sh', '-c', body.command ?? ''],
    env: body.env ?? {},
    workingDirectory: body.workingDirectory ?? null,
    user: userOf(body.user),
    stdin: stdinOf(body),
    tty: body.tty ?? null,
    idleTimeoutSeconds: body.idleTimeoutSeconds ?? null,
    timeoutSeconds: body.timeoutSeconds ?? limits.EXEC_TIMEOUT_SECONDS_DEFAULT,
    queueTimeoutSeconds: body.queueTimeoutSeconds ?? limits.EXEC_QUEUE_TIMEOUT_SECONDS_DEFAULT,
    outputBytesMax: body.outputBytesMax ?? limits.EXEC_OUTPUT_BYTES_DEFAULT,
    allowBackground: body.allowBackground ?? false,
    labels: body.labels ?? {},
  };
}

/** Undefined where there is none. */
export function inlineStdinOf({ stdin }: ExecBody): Uint8Array | undefined {
  return stdin?.kind === 'inline' ? Buffer.from(stdin.base64, 'base64') : undefined;
}

/** The input of a terminal is always open: it is what somebody types. */
function stdinOf(body: ExecBody): StdinSource {
  if (body.tty !== undefined) return { kind: 'open' };
  const inline = inlineStdinOf(body);
  if (inline !== undefined) return { kind: 'inline', bytes: inline.byteLength };
  return { kind: body.stdin?.kind === 'open' ? 'open' : 'none' };
}

/** Root of the sandbox could forge exit records, and no tier allows it. A name that means root is refused by the runner. */
function userOf(user: string | undefined): string | null {
  if (user === undefined) return null;
  if (/^(?:root|0+)(?::|$)/.test(user)) {
    throw new DomainError('forbidden', 'Commands do not run as root in a sandbox.', { pointer: '/user' });
  }
  return user;
}
