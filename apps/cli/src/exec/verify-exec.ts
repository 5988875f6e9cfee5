import type { ApiClient } from '../api/api-client.js';
import { VerificationSchema, type Verification } from '../api/resources.js';
import { show, type Terminal } from '../terminal/terminal.js';

/** As long as it takes to read the largest output over a slow line. */
const TIMEOUT_MS = 6 * 3_600_000;
const EXIT_DAMAGED = 1;

/** Lets the API recompute the hashes of what is stored. Returns the exit code: 0 when everything is as it was written. */
export async function verifyExec(api: ApiClient, terminal: Terminal, id: string): Promise<number> {
  const path = `/v1/execs/${encodeURIComponent(id)}/verify`;
  const found = await api.get(path, VerificationSchema, TIMEOUT_MS);
  await show(terminal, found, () => linesOf(found));
  return found.ok ? 0 : EXIT_DAMAGED;
}

function linesOf(found: Verification): string[] {
  const sealed = `${found.sealedBytes} bytes in ${found.segments} segments`;
  return [
    `exec      ${found.execId} (${found.state})`,
    `result    ${resultText(found)}`,
    `stored    ${sealed}, ${found.hotBytes} bytes in the database`,
    `stdout    ${found.stdout.bytes} bytes, sha256 ${found.stdout.sha256}`,
    `stderr    ${found.stderr.bytes} bytes, sha256 ${found.stderr.sha256}`,
    ...found.problems.map((problem) => `problem   at ${problem.position}: ${problem.message}`),
  ];
}

function resultText({ ok, proven }: Verification): string {
  if (!ok) return 'DAMAGED';
  return proven
    ? 'ok: the hashes are those of the exit record'
    : 'ok, as far as there is output; there is no exit record to compare it with';
}
