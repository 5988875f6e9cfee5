import { insist, isEnded, output, startExec, type ExecBody } from './api-client.js';
import { until } from './until.js';

/** What an exec shows when the thing that a test waits for has happened; its end before that fails the test. */
async function untilOf(id: string, isSo: (exec: ExecBody) => boolean): Promise<ExecBody> {
  const look = async (): Promise<ExecBody> => (await insist<ExecBody>('GET', `/v1/execs/${id}`)).body;
  const exec = await until(look, (seen) => isSo(seen) || isEnded(seen));
  if (!isSo(exec)) throw new Error(`The exec has ended before that: ${JSON.stringify(exec)}`);
  return exec;
}

export async function untilRunning(id: string): Promise<ExecBody> {
  return await untilOf(id, ({ state }) => state === 'running');
}

/** A 202 says that an exec is kept; whoever does something to one that runs waits for that. */
export async function startedExec(sandbox: string, request: Record<string, unknown>): Promise<ExecBody> {
  return await untilRunning((await startExec(sandbox, request)).id);
}

export async function untilOutput(id: string, text: string): Promise<void> {
  await until(
    async () => (await output(id)).includes(text),
    (isThere) => isThere,
  );
}
