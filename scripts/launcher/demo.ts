import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LaunchContext } from './context.js';
import { pause } from './pause.js';

const DEMO_TIMEOUT_MS = 60_000;
const POLL_INTERVAL_MS = 100;
const CALL_TIMEOUT_MS = 20_000;
const MARKER = 'demo-done';
const COMMAND = 'echo hello';

interface ExecStatus {
  readonly status: string;
  readonly exitCode?: number | null;
  readonly stdout?: string;
}

/** A new instance runs one real command in one real sandbox, by the same call that a user makes, and shows what came of it. */
export async function runDemo(context: LaunchContext, apiUrl: string): Promise<void> {
  const marker = join(context.state.root, MARKER);
  if (!context.options.demo || existsSync(marker)) return;
  await context.reporter.step('first command', async () => {
    const headers = { 'X-Admin-Secret': context.secrets.adminSecret, 'Content-Type': 'application/json' };
    const created = await call(
      `${apiUrl}/api/super/users/demo/exec`,
      headers,
      JSON.stringify({ command: COMMAND }),
    );
    const { pollUrl } = created as { pollUrl: string };
    const status = await waitForEnd(new URL(pollUrl, apiUrl).href, headers, context.signal);
    if (status.status !== 'succeeded') throw new Error(`"${COMMAND}" ended as ${JSON.stringify(status)}`);
    writeFileSync(marker, '');
    const output = JSON.stringify(status.stdout);
    return { verb: 'done', detail: `${COMMAND} → ${output}, exit code ${status.exitCode}`, value: undefined };
  });
}

async function waitForEnd(
  url: string,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<ExecStatus> {
  const deadline = Date.now() + DEMO_TIMEOUT_MS;
  for (;;) {
    const status = (await call(url, headers)) as ExecStatus;
    if (!['queued', 'starting', 'running', 'pending'].includes(status.status)) return status;
    if (Date.now() > deadline)
      throw new Error(`the first command is still ${status.status} after ${DEMO_TIMEOUT_MS / 1000} s`);
    await pause(POLL_INTERVAL_MS, signal);
  }
}

async function call(url: string, headers: Record<string, string>, body?: string): Promise<unknown> {
  const response = await fetch(url, {
    method: body === undefined ? 'GET' : 'POST',
    headers,
    ...(body === undefined ? {} : { body }),
    signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${url} answers ${response.status}: ${text.slice(0, 300)}`);
  return JSON.parse(text);
}
