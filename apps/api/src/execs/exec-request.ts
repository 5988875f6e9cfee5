import { limits, type ExecRequest } from '#domain';
import type { ExecBody } from './exec.input.js';

/** What is stored and run, from what was asked: defaults filled in, a command line given to `sh -c`. */
export function execRequestOf(body: ExecBody): ExecRequest {
  return {
    argv: body.argv ?? ['sh', '-c', body.command ?? ''],
    env: body.env ?? {},
    workingDirectory: body.workingDirectory ?? null,
    timeoutSeconds: body.timeoutSeconds ?? limits.EXEC_TIMEOUT_SECONDS_DEFAULT,
    queueTimeoutSeconds: body.queueTimeoutSeconds ?? limits.EXEC_QUEUE_TIMEOUT_SECONDS_DEFAULT,
    outputBytesMax: body.outputBytesMax ?? limits.EXEC_OUTPUT_BYTES_DEFAULT,
    labels: body.labels ?? {},
  };
}
