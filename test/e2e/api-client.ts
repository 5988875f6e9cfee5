import { runningStack, stackSecrets } from '../stack/running-stack.js';

/** What the tests read of the API's resources; the API itself is the authority on the rest. */
export interface ExecBody {
  readonly id: string;
  readonly sandboxId: string;
  readonly state: string;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly stdoutBytes: number;
  readonly stderrBytes: number;
  readonly finishedAt: string | null;
  readonly exitRecord: Record<string, unknown> | null;
  readonly [field: string]: unknown;
}

export interface Answer<Body> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
}

const TERMINAL = new Set([
  'succeeded',
  'failed',
  'canceled',
  'timed_out',
  'output_limited',
  'oom_killed',
  'not_started',
  'lost',
]);
const RETRY_MS = 250;

export const isEnded = (exec: { readonly state: string }): boolean => TERMINAL.has(exec.state);

export function secretHeader(): Record<string, string> {
  return { 'x-admin-secret': stackSecrets().adminSecret };
}

export async function call<Body = Record<string, unknown>>(
  method: string,
  path: string,
  options: { readonly body?: unknown; readonly headers?: Record<string, string> } = {},
): Promise<Answer<Body>> {
  const response = await fetch(new URL(path, runningStack().apiUrl), {
    method,
    headers: {
      ...secretHeader(),
      ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...options.headers,
    },
    ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
  });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json') ?? false;
  return {
    status: response.status,
    headers: response.headers,
    body: (isJson ? JSON.parse(text) : text) as Body,
  };
}

/** Repeats while the API is away or answers 503: what a client that loses its connection does. */
export async function insist<Body = Record<string, unknown>>(
  ...request: Parameters<typeof call>
): Promise<Answer<Body>> {
  const giveUpAt = Date.now() + 60_000;
  for (;;) {
    try {
      const answer = await call<Body>(...request);
      if (answer.status !== 503 || Date.now() > giveUpAt) return answer;
    } catch (error) {
      if (Date.now() > giveUpAt) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

/** Starts an exec in the sandbox `default` of `owner`, which is created if there is none, and returns the sandbox's id. */
export async function sandboxOf(owner: string, image?: string): Promise<string> {
  const { status, body } = await insist<{ sandbox: { id: string } }>('POST', '/v1/sandboxes?wait=60', {
    body: { owner, ...(image === undefined ? {} : { image }) },
  });
  if (status >= 300) throw new Error(`POST /v1/sandboxes answered ${status}: ${JSON.stringify(body)}`);
  return body.sandbox.id;
}

export async function startExec(
  sandboxId: string,
  request: Record<string, unknown>,
  headers = {},
): Promise<ExecBody> {
  const { status, body } = await insist<ExecBody>('POST', `/v1/sandboxes/${sandboxId}/execs`, {
    body: request,
    headers,
  });
  if (status !== 202) throw new Error(`POST execs answered ${status}: ${JSON.stringify(body)}`);
  return body;
}

/** The exec once it has ended; fails after `seconds`. */
export async function ended(execId: string, seconds = 60): Promise<ExecBody> {
  const giveUpAt = Date.now() + seconds * 1_000;
  for (;;) {
    const { body } = await insist<ExecBody>('GET', `/v1/execs/${execId}?wait=5`);
    if (isEnded(body)) return body;
    if (Date.now() > giveUpAt) throw new Error(`The exec has not ended: ${JSON.stringify(body)}`);
  }
}

export async function run(
  sandboxId: string,
  request: Record<string, unknown>,
  seconds = 60,
): Promise<ExecBody> {
  return await ended((await startExec(sandboxId, request)).id, seconds);
}

export async function output(
  execId: string,
  stream: 'stdout' | 'stderr' = 'stdout',
  from = 0,
): Promise<Buffer> {
  const response = await fetch(
    new URL(`/v1/execs/${execId}/output?stream=${stream}&from=${from}`, runningStack().apiUrl),
    { headers: secretHeader() },
  );
  if (response.status !== 200)
    throw new Error(`GET output answered ${response.status}: ${await response.text()}`);
  return Buffer.from(await response.arrayBuffer());
}

/** Reads a stream to its end over HTTP with follow=1, asking again from the byte it has reached whenever the connection breaks. */
export async function followOutput(
  execId: string,
  stream: 'stdout' | 'stderr',
  seconds: number,
): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let received = 0;
  const giveUpAt = Date.now() + seconds * 1_000;
  while (Date.now() < giveUpAt) {
    try {
      const url = new URL(
        `/v1/execs/${execId}/output?stream=${stream}&from=${received}&follow=1`,
        runningStack().apiUrl,
      );
      const response = await fetch(url, { headers: secretHeader() });
      if (response.status !== 200 || !response.body) throw new Error(`status ${response.status}`);
      for await (const piece of response.body as unknown as AsyncIterable<Uint8Array>) {
        pieces.push(Buffer.from(piece));
        received += piece.byteLength;
      }
      const exec = await call<ExecBody>('GET', `/v1/execs/${execId}`);
      const total = stream === 'stdout' ? exec.body.stdoutBytes : exec.body.stderrBytes;
      if (exec.status === 200 && isEnded(exec.body) && received === total) return Buffer.concat(pieces);
    } catch {
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
  throw new Error(`The ${stream} of ${execId} did not end in time; received ${received} bytes.`);
}
