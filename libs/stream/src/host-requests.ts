import { once } from 'node:events';
import { Agent, request, type ClientRequest, type IncomingMessage } from 'node:http';
import { DomainError, type HostId, type HostStore } from '#domain';
import { errorFrom } from './refusal.js';
import { streamToken, TOKEN_HEADER } from './token.js';

const ADDRESSES_FRESH_MS = 5_000;
/** Many of them may wait for commands that do not read. */
const SOCKETS_PER_HOST_MAX = 256;
const ANSWER_BYTES_MAX = 64 * 1_024;
const RETRY_AFTER_SECONDS = 1;

interface Sent {
  readonly method: 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly timeoutMs: number;
}

export interface HostContent extends Sent {
  readonly content: AsyncIterable<Uint8Array>;
}

export interface HostRequest extends Sent {
  readonly body: Uint8Array;
  /** Sent twice it has its effect once, so a lost answer is no reason to fail. */
  readonly repeatable: boolean;
  readonly answerBytesMax?: number;
}

/** Finds hosts and asks them over connections that are kept open. A host that was restarted is found at its new address. */
export class HostRequests {
  private readonly agent = new Agent({ keepAlive: true, maxSockets: SOCKETS_PER_HOST_MAX });
  private readonly token: string;
  private addresses: { readonly at: number; readonly of: Promise<ReadonlyMap<string, string>> } | undefined;

  constructor(
    private readonly hosts: HostStore,
    adminSecret: string,
  ) {
    this.token = streamToken(adminSecret);
  }

  /** The answer's JSON. Throws what the host refused with, or `dependency_unavailable` (host). */
  async ask(host: HostId, asked: HostRequest): Promise<unknown> {
    for (let attempt = 1; ; attempt += 1) {
      const address = (await this.knownAddresses()).get(host);
      try {
        if (address === undefined) throw new Error('The host is not known.');
        return await this.send(address, asked);
      } catch (error) {
        if (error instanceof DomainError) throw error;
        this.addresses = undefined;
        const neverArrived = (error as NodeJS.ErrnoException).code === 'ECONNREFUSED';
        if (attempt > 1 || !(asked.repeatable || neverArrived)) throw away(error);
      }
    }
  }

  /** The same with content of any length, on a connection of its own. None of it is read before the host is found. */
  async write(host: HostId, asked: HostContent): Promise<unknown> {
    for (let attempt = 1; ; attempt += 1) {
      const address = (await this.knownAddresses()).get(host);
      if (address === undefined) throw away(new Error('The host is not known.'));
      const sent = request({
        ...placeOf(address),
        agent: false,
        method: asked.method,
        path: asked.path,
        timeout: asked.timeoutMs,
        headers: { [TOKEN_HEADER]: this.token, 'transfer-encoding': 'chunked' },
      });
      try {
        await connected(sent);
      } catch (error) {
        this.addresses = undefined;
        if (attempt > 1) throw away(error);
        continue;
      }
      return await sendContent(sent, asked.content);
    }
  }

  /** An answer without an end of its own, on a connection of its own. Throws where the host does not give one. */
  async open(host: HostId, path: string, signal: AbortSignal): Promise<IncomingMessage> {
    const address = (await this.knownAddresses()).get(host);
    if (address === undefined) throw away(new Error('The host is not known.'));
    return await new Promise((resolve, reject) => {
      const sent = request({
        ...placeOf(address),
        path,
        agent: false,
        signal,
        headers: { [TOKEN_HEADER]: this.token },
      });
      sent.on('response', resolve);
      sent.on('error', (error) => reject(away(error)));
      sent.end();
    });
  }

  close(): void {
    this.agent.destroy();
  }

  private async knownAddresses(): Promise<ReadonlyMap<string, string>> {
    const now = performance.now();
    if (!this.addresses || now - this.addresses.at > ADDRESSES_FRESH_MS) {
      const of = this.hosts
        .list()
        .then((rows) => new Map(rows.map(({ id, streamAddress }) => [id as string, streamAddress])));
      // One that failed is not kept.
      of.catch(() => (this.addresses = undefined));
      this.addresses = { at: now, of };
    }
    return await this.addresses.of;
  }

  private async send(address: string, asked: HostRequest): Promise<unknown> {
    const sent = request({
      ...placeOf(address),
      agent: this.agent,
      method: asked.method,
      path: asked.path,
      timeout: asked.timeoutMs,
      headers: { [TOKEN_HEADER]: this.token, 'content-length': asked.body.byteLength },
    });
    const answered = answerTo(sent, asked.answerBytesMax ?? ANSWER_BYTES_MAX);
    sent.end(asked.body);
    return answerOf(await answered);
  }
}

function placeOf(address: string): { hostname: string; port: string } {
  const at = address.lastIndexOf(':');
  return { hostname: address.slice(0, at), port: address.slice(at + 1) };
}

interface HostAnswer {
  readonly status: number;
  readonly body: Buffer;
}

function answerTo(sent: ClientRequest, bytesMax: number): Promise<HostAnswer> {
  return new Promise((resolve, reject) => {
    sent.on('response', (response) => {
      const pieces: Buffer[] = [];
      let length = 0;
      response.on('data', (piece: Buffer) => {
        length += piece.byteLength;
        if (length > bytesMax) response.destroy(new Error('The answer of the host is too long.'));
        else pieces.push(piece);
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(pieces) }));
      response.on('error', reject);
    });
    sent.on('timeout', () => sent.destroy(new Error('The host did not answer in time.')));
    sent.on('error', reject);
  });
}

async function connected(sent: ClientRequest): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    sent.once('error', reject);
    sent.once('socket', (socket) => socket.once('connect', resolve));
  });
}

/** A host that answers before the end has heard enough. Content that breaks off breaks the request off. */
async function sendContent(sent: ClientRequest, content: AsyncIterable<Uint8Array>): Promise<unknown> {
  const answered = answerTo(sent, ANSWER_BYTES_MAX);
  const unlessAnswered = interruptible(answered);
  const bytes = content[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await unlessAnswered(bytes.next());
      if (next === undefined || next.done === true) break;
      if (!sent.write(next.value)) await unlessAnswered(once(sent, 'drain'));
    }
    sent.end();
    return answerOf(await answered);
  } catch (error) {
    throw error instanceof DomainError ? error : away(error);
  } finally {
    // What is still on its way is let go of when it comes, or when its source gives up.
    void bytes.return?.();
    sent.destroy();
  }
}

/** What waits for one thing after the other, and for none of them once the other promise has settled. Nothing gathers there. */
function interruptible(by: Promise<unknown>): <Result>(work: Promise<Result>) => Promise<Result | undefined> {
  let isOver = false;
  let interrupt = (): void => undefined;
  const over = (): void => {
    isOver = true;
    interrupt();
  };
  by.then(over, over);
  return async (work) =>
    await new Promise((resolve, reject) => {
      interrupt = () => resolve(undefined);
      work.then(resolve, reject);
      if (isOver) interrupt();
    });
}

function answerOf({ status, body }: HostAnswer): unknown {
  if (status === 204) return undefined;
  const value: unknown = body.byteLength === 0 ? undefined : JSON.parse(body.toString());
  if (status === 200) return value;
  throw errorFrom(value) ?? new Error(`The host answered ${status}.`);
}

function away(cause: unknown): DomainError {
  return new DomainError('dependency_unavailable', 'The host of the sandbox does not answer.', {
    cause,
    dependency: 'host',
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  });
}
