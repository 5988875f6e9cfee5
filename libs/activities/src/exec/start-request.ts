import { limits, type Exec, type ExecStore, type StartRequest } from '#domain';

const SECOND_MS = 1_000;

/** What the runner is asked for. An inline input is fetched only here, because nothing else needs its bytes. */
export async function startRequestOf(
  exec: Exec,
  execs: Pick<ExecStore, 'readInlineStdin'>,
): Promise<StartRequest> {
  const { request } = exec;
  const { workingDirectory, user, tty, idleTimeoutSeconds, allowBackground } = request;
  return {
    execId: exec.id,
    argv: request.argv,
    env: request.env,
    ...(workingDirectory === null ? {} : { workingDirectory }),
    ...(user === null ? {} : { user }),
    ...(await inputOf(exec, execs)),
    ...(tty === null ? {} : { tty }),
    timeoutMs: request.timeoutSeconds * SECOND_MS,
    ...(idleTimeoutSeconds === null ? {} : { idleTimeoutMs: idleTimeoutSeconds * SECOND_MS }),
    outputBytesMax: request.outputBytesMax,
    uncommittedBytesMax: limits.SPOOL_UNCOMMITTED_BYTES_MAX,
    ...(allowBackground ? { allowBackground } : {}),
  };
}

/** A terminal is its own input. */
async function inputOf(
  { id, request }: Exec,
  execs: Pick<ExecStore, 'readInlineStdin'>,
): Promise<Pick<StartRequest, 'stdin'>> {
  if (request.tty !== null || request.stdin.kind === 'none') return {};
  if (request.stdin.kind === 'open') return { stdin: { kind: 'open' } };
  return { stdin: { kind: 'inline', bytes: await execs.readInlineStdin(id) } };
}
