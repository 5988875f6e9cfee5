import { Agent, request } from 'node:http';
import type { ExecId, HostId, HostLink, HostStore, Log } from '#domain';
import { streamToken, TOKEN_HEADER } from './token.js';

const HINT_TIMEOUT_MS = 2_000;
const ADDRESSES_FRESH_MS = 5_000;
const SOCKETS_PER_HOST_MAX = 4;

/** Sends hints over connections that are kept open. A hint that fails is dropped: the run of the exec does the same work. */
export class HttpHostLink implements HostLink {
  private readonly agent = new Agent({ keepAlive: true, maxSockets: SOCKETS_PER_HOST_MAX });
  private readonly token: string;
  private addresses: { readonly at: number; readonly of: Promise<ReadonlyMap<string, string>> } | undefined;
  private readonly waiting = new Map<HostId, ExecId[]>();

  constructor(
    private readonly hosts: HostStore,
    adminSecret: string,
    private readonly log: Log,
  ) {
    this.token = streamToken(adminSecret);
  }

  /** Hints of one turn of the event loop travel together. */
  hint(host: HostId, exec: ExecId): void {
    const waiting = this.waiting.get(host);
    if (waiting) {
      waiting.push(exec);
      return;
    }
    this.waiting.set(host, [exec]);
    queueMicrotask(() => void this.send(host));
  }

  close(): void {
    this.agent.destroy();
  }

  private async send(host: HostId): Promise<void> {
    const execIds = this.waiting.get(host) ?? [];
    this.waiting.delete(host);
    try {
      const address = (await this.knownAddresses()).get(host);
      if (address) await this.post(address, JSON.stringify({ execIds }));
    } catch (error) {
      this.addresses = undefined;
      this.log.debug({ err: error, host }, 'A hint was not delivered.');
    }
  }

  private async knownAddresses(): Promise<ReadonlyMap<string, string>> {
    const now = performance.now();
    if (!this.addresses || now - this.addresses.at > ADDRESSES_FRESH_MS) {
      const of = this.hosts
        .list()
        .then((rows) => new Map(rows.map(({ id, streamAddress }) => [id as string, streamAddress])));
      this.addresses = { at: now, of };
    }
    return await this.addresses.of;
  }

  private async post(address: string, body: string): Promise<void> {
    const [hostname, port] = splitAddress(address);
    await new Promise<void>((resolve, reject) => {
      const sent = request(
        {
          agent: this.agent,
          hostname,
          port,
          method: 'POST',
          path: '/v1/hints',
          timeout: HINT_TIMEOUT_MS,
          headers: {
            [TOKEN_HEADER]: this.token,
            'content-type': 'application/json',
            'content-length': Buffer.byteLength(body),
          },
        },
        (response) => {
          response.resume();
          response.on('end', resolve);
          response.on('error', reject);
        },
      );
      sent.on('timeout', () => sent.destroy(new Error('The host did not answer in time.')));
      sent.on('error', reject);
      sent.end(body);
    });
  }
}

function splitAddress(address: string): [string, string] {
  const at = address.lastIndexOf(':');
  return [address.slice(0, at), address.slice(at + 1)];
}
