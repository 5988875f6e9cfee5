import type { Installation } from './installation.js';
import { pause, textOf } from './pause.js';
import type { StreamName } from './expected-bytes.js';

const CALL_TIMEOUT_MS = 30_000;
const RETRY_MS = 250;
const RETRY_AFTER_SECONDS_MAX = 3;

/** The exec resource, as far as the checks read it. */
export interface ExecBody {
  readonly id: string;
  readonly sandboxId: string;
  readonly state: string;
  readonly argv: readonly string[];
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly stdoutBytes: number;
  readonly stderrBytes: number;
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
  readonly outputState: 'hot' | 'sealed' | 'expired';
  readonly cancelRequestedAt: string | null;
  readonly failure: { readonly code: string; readonly message: string } | null;
  readonly evidence: Readonly<Record<string, unknown>> | null;
  readonly exitRecord: ExitRecordBody | null;
}

export interface ExitRecordBody {
  readonly reason: string;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly stdoutBytes: number;
  readonly stderrBytes: number;
  readonly stdoutSha256: string;
  readonly stderrSha256: string;
  readonly descendantsLeft: number;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

const ENDS = new Set([
  'succeeded',
  'failed',
  'canceled',
  'timed_out',
  'output_limited',
  'oom_killed',
  'not_started',
  'lost',
]);

export const hasEnded = ({ state }: { readonly state: string }): boolean => ENDS.has(state);

/** Thrown when the API gave no usable answer for as long as a client is ready to ask. */
export class NoAnswerError extends Error {}

/** A client as anybody would write one: the public API and nothing else. */
export class Client {
  /** Told of the text of each answer. */
  onAnswer: (text: string) => void = () => undefined;

  constructor(private readonly installation: Installation) {}

  get secretHeader(): Record<string, string> {
    return { 'x-admin-secret': this.installation.adminSecret };
  }

  url(path: string): URL {
    return new URL(path, this.installation.apiUrl);
  }

  async call(
    method: string,
    path: string,
    options: { readonly body?: unknown; readonly headers?: Record<string, string> } = {},
  ): Promise<Answer> {
    const answer = await fetch(this.url(path), {
      method,
      headers: {
        ...this.secretHeader,
        ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...options.headers,
      },
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
      signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
    });
    const text = await answer.text();
    this.onAnswer(text);
    const isJson = answer.headers.get('content-type')?.includes('json') ?? false;
    return { status: answer.status, headers: answer.headers, body: isJson ? JSON.parse(text) : text };
  }

  async put(path: string, bytes: Uint8Array): Promise<Pick<Answer, 'status' | 'body'>> {
    const answer = await fetch(this.url(path), {
      method: 'PUT',
      headers: { ...this.secretHeader, 'content-type': 'application/octet-stream' },
      body: bytes,
      signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
    });
    return { status: answer.status, body: await answer.json() };
  }

  /** Asks again, the same, for as long as there is no answer or one that says: later. */
  async insist(giveUpAt: number, ...request: Parameters<Client['call']>): Promise<Answer> {
    let last = 'nothing was asked';
    while (Date.now() < giveUpAt) {
      let waitMs = RETRY_MS;
      try {
        const answer = await this.call(...request);
        if (answer.status < 500 && answer.status !== 429) return answer;
        last = `${answer.status} ${JSON.stringify(answer.body)}`;
        const seconds = Number(answer.headers.get('retry-after') ?? 0);
        waitMs = Math.max(RETRY_MS, Math.min(seconds, RETRY_AFTER_SECONDS_MAX) * 1_000);
      } catch (error) {
        last = textOf(error);
      }
      await pause(waitMs);
    }
    throw new NoAnswerError(`${request[0]} ${request[1]}: no answer in time, the last was: ${last}`);
  }

  /** Opens the output from an offset on. With `follow` it goes on until the exec has ended. */
  async output(
    execId: string,
    stream: StreamName,
    from: number,
    options: { readonly follow: boolean; readonly signal: AbortSignal },
  ): Promise<Response> {
    const follow = options.follow ? '&follow=1' : '';
    return await fetch(this.url(`/v1/execs/${execId}/output?stream=${stream}&from=${from}${follow}`), {
      headers: this.secretHeader,
      signal: options.signal,
    });
  }
}
