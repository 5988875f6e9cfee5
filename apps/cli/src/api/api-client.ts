import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { z } from 'zod';
import type { CliConfig } from '../config.js';
import { CliError } from '../terminal/cli-error.js';
import { ProblemSchema, type Problem } from './resources.js';

const REQUEST_TIMEOUT_MS = 30_000;
/** A request whose answer was lost is sent again this long; its Idempotency-Key makes that safe. */
const RESEND_WINDOW_MS = 20_000;
const RESEND_PAUSE_MS = 250;

const BROKEN_CONNECTION_CODES: ReadonlySet<string> = new Set([
  'ECONNRESET',
  'EPIPE',
  'UND_ERR_SOCKET',
  'timeout',
]);

/** A refusal by the API, with its stable code. */
export class ApiError extends CliError {
  constructor(readonly problem: Problem) {
    super(messageOf(problem), adviceOf(problem));
  }
}

/** Nobody answers at the address of the API. */
export class UnreachableError extends CliError {}

interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  /** Sent as JSON, but bytes as they are. */
  readonly body?: unknown;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/** Speaks the public HTTP API. Every answer is checked against the schema that the caller names. */
export class ApiClient {
  constructor(private readonly config: CliConfig) {}

  async get<T>(path: string, schema: z.ZodType<T>, timeoutMs = REQUEST_TIMEOUT_MS): Promise<T> {
    return parsed(await this.send({ method: 'GET', path, timeoutMs }), schema);
  }

  /** `signal` ends the waiting for the answer; what has reached the API has its effect. */
  async post<T>(path: string, body: unknown, schema: z.ZodType<T>, signal?: AbortSignal): Promise<T> {
    return parsed(await this.send({ method: 'POST', path, body, signal }), schema);
  }

  /** Bytes under an address that says where they belong, so that sending them again is sending them once. */
  async put<T>(path: string, body: Uint8Array, schema: z.ZodType<T>, signal?: AbortSignal): Promise<T> {
    return parsed(await this.send({ method: 'PUT', path, body, signal }), schema);
  }

  async patch<T>(path: string, body: unknown, schema: z.ZodType<T>): Promise<T> {
    return parsed(await this.send({ method: 'PATCH', path, body }), schema);
  }

  async delete<T>(path: string, schema: z.ZodType<T>): Promise<T> {
    return parsed(await this.send({ method: 'DELETE', path }), schema);
  }

  /** Raw bytes as they come; ends with the answer. */
  async download(path: string, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    const response = await this.fetch({ method: 'GET', path }, {}, signal);
    if (!response.ok) throw await refusalOf(response);
    if (response.body === null) throw new CliError('The API answered without a body.');
    return response.body;
  }

  private async send(call: Call): Promise<Response> {
    const idempotencyKey = randomUUID();
    const headers = call.method === 'GET' ? {} : { 'Idempotency-Key': idempotencyKey };
    const giveUpAt = performance.now() + RESEND_WINDOW_MS;
    const stop = call.signal === undefined ? [] : [call.signal];
    for (let attempt = 1; ; attempt += 1) {
      try {
        const deadline = deadlineAfter(call.timeoutMs ?? REQUEST_TIMEOUT_MS);
        const response = await this.fetch(call, headers, AbortSignal.any([deadline, ...stop]));
        if (!response.ok) throw await refusalOf(response);
        return response;
      } catch (error) {
        if (error instanceof CliError || call.signal?.aborted === true) throw error;
        if (!mayResend(error, attempt) || performance.now() > giveUpAt) throw this.unreachable(error);
        await delay(RESEND_PAUSE_MS);
      }
    }
  }

  private async fetch(call: Call, headers: Record<string, string>, signal: AbortSignal): Promise<Response> {
    return await fetch(`${this.config.url}${call.path}`, {
      method: call.method,
      headers: {
        ...headers,
        'X-Admin-Secret': this.config.adminSecret,
        ...(call.body === undefined ? {} : { 'Content-Type': contentTypeOf(call.body) }),
      },
      ...(call.body === undefined ? {} : { body: contentOf(call.body) }),
      signal,
    });
  }

  private unreachable(cause: unknown): UnreachableError {
    return new UnreachableError(
      `The API does not answer at ${this.config.url} (${causeCodeOf(cause) ?? 'no connection'}).`,
      'Start it with `npm start`, or name another address with --url or BERTH_URL.',
      { cause },
    );
  }
}

/**
 * Held by its timer. On Node 20 a signal of `AbortSignal.timeout` that only `AbortSignal.any` knows is collected, and then
 * it never fires.
 */
export function deadlineAfter(timeoutMs: number): AbortSignal {
  const deadline = new AbortController();
  const over = (): void => deadline.abort(new DOMException('The time is over.', 'TimeoutError'));
  setTimeout(over, timeoutMs).unref();
  return deadline.signal;
}

const contentTypeOf = (body: unknown): string =>
  body instanceof Uint8Array ? 'application/octet-stream' : 'application/json';

const contentOf = (body: unknown): string | Uint8Array<ArrayBuffer> =>
  body instanceof Uint8Array ? new Uint8Array(body) : JSON.stringify(body);

async function parsed<T>(response: Response, schema: z.ZodType<T>): Promise<T> {
  const body: unknown = response.status === 204 ? null : await response.json();
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const where = result.error.issues.map((issue) => issue.path.join('.')).join(', ');
  throw new CliError(
    `The API's answer has another shape than expected (${where}).`,
    'The CLI and the API may be of different versions: rebuild or update one of them.',
  );
}

async function refusalOf(response: Response): Promise<CliError> {
  const text = await response.text();
  try {
    return new ApiError(ProblemSchema.parse(JSON.parse(text)));
  } catch {
    // Something between the CLI and the API answered in its own words.
    return new CliError(`${response.url} answered ${response.status} without a problem description.`);
  }
}

function messageOf(problem: Problem): string {
  const what = problem.detail ?? problem.title ?? 'The request was refused.';
  const where = problem.pointer === undefined ? '' : ` at ${problem.pointer}`;
  const request = problem.requestId === undefined ? '' : `, request ${problem.requestId}`;
  return `${what} (${problem.code}${where}${request})`;
}

function adviceOf(problem: Problem): string | undefined {
  switch (problem.code) {
    case 'unauthenticated':
      return 'The admin secret is not the one of this installation: see --admin-secret, BERTH_ADMIN_SECRET or .berth/secrets.json.';
    case 'dependency_unavailable':
      return `Wait for ${problem.dependency ?? 'it'} to come back and send the same again; \`berth doctor\` shows what is missing.`;
    case 'not_found':
      return '`berth sandbox ls`, `berth exec ls` and `berth op ls` show what there is.';
    default:
      return undefined;
  }
}

/** A connection that broke may come back; one that was refused from the start is an API that does not run. */
function mayResend(error: unknown, attempt: number): boolean {
  const code = causeCodeOf(error) ?? '';
  return BROKEN_CONNECTION_CODES.has(code) || (code === 'ECONNREFUSED' && attempt > 1);
}

/** The system's own code of a network failure, which fetch keeps as the cause of its error. */
function causeCodeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const { code, name, cause } = error as { code?: unknown; name?: unknown; cause?: unknown };
  if (typeof code === 'string') return code;
  return name === 'TimeoutError' ? 'timeout' : causeCodeOf(cause);
}
