import { once } from 'node:events';
import { WebSocket } from 'ws';
import type { RunningInstance } from './running-instance.js';

const DEADLINE_MS = 60_000;
/** See docs/WEBSOCKET.md. */
const OUTPUT_HEADER_BYTES = 29;
const START_WAIT_SECONDS = 60;

export interface ExecTimes {
  /** To the 202, when the row and the Workflow are durable. */
  readonly acceptedMs: number;
  /** To the first byte of output; undefined for a command without any. */
  readonly firstByteMs: number | undefined;
  /** To the end message, with the exit code. */
  readonly endMs: number;
}

/** What a request for an operation is answered with, once it has ended. */
export interface LifecycleAnswer {
  readonly sandbox: { readonly id: string };
  readonly operation: {
    readonly state: string;
    readonly createdAt: string;
    readonly steps: readonly {
      readonly name: string;
      readonly startedAt: string;
      readonly finishedAt: string | null;
    }[];
  } | null;
}

interface ControlMessage {
  readonly t: string;
  readonly id?: string;
  readonly state?: string;
  readonly code?: string;
  readonly exec?: { readonly exitRecord: { readonly stdoutSha256: string } | null };
}

export type EndMessage = ControlMessage;

interface Watched {
  readonly firstByteAt: number | undefined;
  readonly endAt: number;
  readonly end: EndMessage;
}

/** A client as an application would write it: HTTP to start, one WebSocket that is open all the time to look on. */
export class BerthClient {
  private subscriptions = 0;

  private constructor(
    private readonly instance: RunningInstance,
    private readonly socket: WebSocket,
  ) {}

  static async open(instance: RunningInstance): Promise<BerthClient> {
    const socket = new WebSocket(`${instance.apiUrl.replace(/^http/, 'ws')}/v1/ws`, {
      headers: { 'X-Admin-Secret': instance.adminSecret },
    });
    await once(socket, 'open', { signal: AbortSignal.timeout(DEADLINE_MS) });
    return new BerthClient(instance, socket);
  }

  /** The id of a sandbox that runs. */
  async runningSandbox(owner: string): Promise<string> {
    const path = `/v1/sandboxes?wait=${START_WAIT_SECONDS}`;
    const { sandbox, operation } = await this.post<{
      sandbox: { id: string };
      operation: { state: string } | null;
    }>(path, { owner }, DEADLINE_MS + START_WAIT_SECONDS * 1_000);
    if (operation !== null && operation.state !== 'succeeded') {
      throw new Error(`The sandbox of ${owner} did not start: its operation is ${operation.state}.`);
    }
    return sandbox.id;
  }

  /** Asks something of a sandbox and waits until it is so. */
  async change(method: 'POST' | 'DELETE', path: string): Promise<LifecycleAnswer> {
    const deadlineMs = DEADLINE_MS + START_WAIT_SECONDS * 1_000;
    const answer = await this.send<LifecycleAnswer>(
      method,
      `/v1/sandboxes/${path}?wait=${START_WAIT_SECONDS}`,
      undefined,
      deadlineMs,
    );
    const state = answer.operation?.state ?? 'succeeded';
    if (state !== 'succeeded') throw new Error(`${method} ${path}: its operation is ${state}.`);
    return answer;
  }

  /** Something with a repository, until its operation has ended: what it brought about. */
  async git(
    sandboxId: string,
    what: string,
    body: object,
  ): Promise<Readonly<Record<string, unknown>> | null> {
    const path = `/v1/sandboxes/${sandboxId}/git/${what}?wait=${START_WAIT_SECONDS}`;
    const asked = await this.post<{
      state: string;
      park: unknown;
      result: Readonly<Record<string, unknown>> | null;
    }>(path, body, DEADLINE_MS + START_WAIT_SECONDS * 1_000);
    if (asked.state !== 'succeeded')
      throw new Error(`${what} is ${asked.state}: ${JSON.stringify(asked.park)}`);
    return asked.result;
  }

  /** A bulk operation until each of its items has succeeded. */
  async bulk(body: object): Promise<void> {
    const deadlineMs = DEADLINE_MS + START_WAIT_SECONDS * 1_000;
    const { id } = await this.post<{ id: string }>('/v1/bulk-operations', body, deadlineMs);
    const path = `/v1/bulk-operations/${id}?wait=${START_WAIT_SECONDS}`;
    for (;;) {
      const { state, counts } = await this.send<{ state: string; counts: object }>(
        'GET',
        path,
        undefined,
        deadlineMs,
      );
      if (state === 'succeeded') return;
      if (state !== 'pending' && state !== 'running') {
        throw new Error(`The bulk operation is ${state}: ${JSON.stringify(counts)}`);
      }
    }
  }

  /** A whole file, to the answer that says that it is on the disk. */
  async putFile(sandboxId: string, name: string, bytes: Buffer): Promise<void> {
    const response = await this.file('PUT', sandboxId, name, bytes);
    const { bytes: written } = (await response.json()) as { bytes: number };
    if (written !== bytes.byteLength) throw new Error(`${name} has ${written} bytes.`);
  }

  /** A whole file, which must be as expected. */
  async getFile(sandboxId: string, name: string, expected: Buffer): Promise<void> {
    const bytes = Buffer.from(await (await this.file('GET', sandboxId, name)).arrayBuffer());
    if (!bytes.equals(expected)) throw new Error(`${name} came back as something else.`);
  }

  async measure(sandboxId: string, argv: readonly string[]): Promise<ExecTimes> {
    const begunAt = performance.now();
    const id = await this.start(sandboxId, argv);
    const acceptedMs = performance.now() - begunAt;
    const { firstByteAt, endAt } = await this.watch(id);
    return {
      acceptedMs,
      firstByteMs: firstByteAt === undefined ? undefined : firstByteAt - begunAt,
      endMs: endAt - begunAt,
    };
  }

  /** The id of an exec that has been accepted. */
  async start(
    sandboxId: string,
    argv: readonly string[],
    options: { readonly timeoutSeconds?: number; readonly stdin?: { readonly kind: 'open' } } = {},
  ): Promise<string> {
    const path = `/v1/sandboxes/${sandboxId}/execs`;
    return (await this.post<{ id: string }>(path, { argv, ...options }, DEADLINE_MS)).id;
  }

  /** Cancels an exec and waits until nothing of it is left. */
  async cancel(execId: string): Promise<void> {
    await this.post(`/v1/execs/${execId}/cancel`, undefined, DEADLINE_MS);
    const path = `/v1/execs/${execId}?wait=${START_WAIT_SECONDS}`;
    const deadlineMs = DEADLINE_MS + START_WAIT_SECONDS * 1_000;
    const { state } = await this.send<{ state: string }>('GET', path, undefined, deadlineMs);
    if (state !== 'canceled') throw new Error(`Exec ${execId} is ${state}, not canceled.`);
  }

  /** A piece of the input of an exec, again until the command has it. */
  async putInput(execId: string, offset: number, piece: Buffer, eof: boolean): Promise<void> {
    const query = `offset=${offset}${eof ? '&eof=1' : ''}`;
    for (const giveUpAt = performance.now() + DEADLINE_MS; ;) {
      const response = await fetch(`${this.instance.apiUrl}/v1/execs/${execId}/stdin?${query}`, {
        method: 'PUT',
        headers: { 'X-Admin-Secret': this.instance.adminSecret },
        body: piece as Uint8Array<ArrayBuffer>,
        signal: AbortSignal.timeout(DEADLINE_MS),
      });
      const text = await response.text();
      if (response.ok) return;
      // It does not run yet, or has not read what it was given.
      if (![409, 429].includes(response.status) || performance.now() > giveUpAt)
        throw new Error(`The input from ${offset} on answered ${response.status}: ${text}`);
    }
  }

  /** The standard output of an exec, when it has ended. */
  async outputOf(execId: string): Promise<string> {
    const response = await fetch(`${this.instance.apiUrl}/v1/execs/${execId}/output?stream=stdout&follow=1`, {
      headers: { 'X-Admin-Secret': this.instance.adminSecret },
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
    if (!response.ok) throw new Error(`The output answered ${response.status}.`);
    return await response.text();
  }

  /** Starts a command and hands every piece of its output over as it comes. */
  async receive(
    sandboxId: string,
    argv: readonly string[],
    onPayload: (payload: Buffer) => void,
    deadlineMs = DEADLINE_MS,
  ): Promise<{ readonly endMs: number; readonly end: EndMessage }> {
    const begunAt = performance.now();
    const id = await this.start(sandboxId, argv);
    const { endAt, end } = await this.watch(id, onPayload, deadlineMs);
    return { endMs: endAt - begunAt, end };
  }

  close(): void {
    this.socket.close();
  }

  private async watch(
    execId: string,
    onPayload?: (payload: Buffer) => void,
    deadlineMs = DEADLINE_MS,
  ): Promise<Watched> {
    this.subscriptions += 1;
    const id = `b${this.subscriptions}`;
    return await new Promise((resolve, reject) => {
      let firstByteAt: number | undefined;
      const settle = (result: () => void): void => {
        clearTimeout(timer);
        this.socket.off('message', receive).off('close', closed);
        result();
      };
      const fail = (why: string): void => settle(() => reject(new Error(`Exec ${execId}: ${why}.`)));
      const closed = (code: number): void => fail(`the socket closed with ${code}`);
      const receive = (data: Buffer, isBinary: boolean): void => {
        if (isBinary) {
          firstByteAt ??= performance.now();
          onPayload?.(data.subarray(OUTPUT_HEADER_BYTES));
          return;
        }
        const message = JSON.parse(data.toString('utf8')) as ControlMessage;
        if (message.id !== id) return;
        if (message.t === 'err') fail(`the socket answered ${message.code ?? 'err'}`);
        if (message.t !== 'end') return;
        const endAt = performance.now();
        if (message.state === 'succeeded') settle(() => resolve({ firstByteAt, endAt, end: message }));
        else fail(`it ended as ${message.state ?? 'nothing'}`);
      };
      const timer = setTimeout(() => fail(`no end within ${deadlineMs} ms`), deadlineMs);
      this.socket.on('message', receive).on('close', closed);
      this.socket.send(JSON.stringify({ t: 'sub', id, topic: `exec:${execId}`, after: 0 }));
    });
  }

  private async file(
    method: 'GET' | 'PUT',
    sandboxId: string,
    name: string,
    body?: Buffer,
  ): Promise<Response> {
    const response = await fetch(`${this.instance.apiUrl}/v1/sandboxes/${sandboxId}/files?path=${name}`, {
      method,
      headers: { 'X-Admin-Secret': this.instance.adminSecret },
      ...(body === undefined
        ? {}
        : { body: new Uint8Array(body.buffer, body.byteOffset, body.byteLength) as Uint8Array<ArrayBuffer> }),
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
    if (!response.ok)
      throw new Error(`${method} ${name} answered ${response.status}: ${await response.text()}`);
    return response;
  }

  private async post<T>(path: string, body: unknown, deadlineMs: number): Promise<T> {
    return await this.send('POST', path, body, deadlineMs);
  }

  private async send<T>(method: string, path: string, body: unknown, deadlineMs: number): Promise<T> {
    const response = await fetch(`${this.instance.apiUrl}${path}`, {
      method,
      headers: {
        'X-Admin-Secret': this.instance.adminSecret,
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(deadlineMs),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
    return JSON.parse(text) as T;
  }
}
