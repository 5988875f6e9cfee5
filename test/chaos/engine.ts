import { request } from 'node:http';

const CALL_TIMEOUT_MS = 15_000;

export interface SeenContainer {
  readonly Id: string;
  readonly Names: readonly string[];
  readonly Labels: Readonly<Record<string, string>>;
  readonly State: string;
}

export interface InspectedContainer {
  readonly Id: string;
  readonly State: { readonly Running: boolean; readonly Paused: boolean; readonly Pid: number };
  readonly Mounts: readonly { readonly Destination: string; readonly Source: string }[];
}

export interface SeenVolume {
  readonly Name: string;
  readonly Mountpoint: string;
  readonly Labels: Readonly<Record<string, string>> | null;
}

/** The few calls of Docker's own API that the run needs, over its socket. */
export class Engine {
  constructor(private readonly dockerHost: string) {}

  async containers(instanceId: string): Promise<SeenContainer[]> {
    const filters = encodeURIComponent(JSON.stringify({ label: [`berth.instance=${instanceId}`] }));
    return (await this.call('GET', `/containers/json?all=1&filters=${filters}`)) as SeenContainer[];
  }

  async inspect(id: string): Promise<InspectedContainer> {
    return (await this.call('GET', `/containers/${id}/json`)) as InspectedContainer;
  }

  async volumes(instanceId: string): Promise<SeenVolume[]> {
    const filters = encodeURIComponent(JSON.stringify({ label: [`berth.instance=${instanceId}`] }));
    const { Volumes } = (await this.call('GET', `/volumes?filters=${filters}`)) as {
      Volumes: SeenVolume[] | null;
    };
    return Volumes ?? [];
  }

  async act(id: string, action: 'start' | 'kill' | 'pause' | 'unpause'): Promise<void> {
    await this.call('POST', `/containers/${id}/${action}`);
  }

  /** Gives an image another name. */
  async tag(image: string, repo: string, tag: string): Promise<void> {
    const query = new URLSearchParams({ repo, tag }).toString();
    await this.call('POST', `/images/${image}/tag?${query}`);
  }

  private async call(method: string, path: string): Promise<unknown> {
    const socketPath = new URL(this.dockerHost).pathname;
    return await new Promise((resolve, reject) => {
      const call = request(
        { socketPath, path, method, signal: AbortSignal.timeout(CALL_TIMEOUT_MS) },
        (answer) => {
          const pieces: Buffer[] = [];
          answer.on('data', (piece: Buffer) => pieces.push(piece));
          answer.on('error', reject);
          answer.on('end', () => {
            const text = Buffer.concat(pieces).toString('utf8');
            const status = answer.statusCode ?? 0;
            if (status >= 400) reject(new EngineError(status, text));
            else resolve(text === '' ? undefined : JSON.parse(text));
          });
        },
      );
      call.on('error', reject);
      call.end();
    });
  }
}

export class EngineError extends Error {
  constructor(
    readonly status: number,
    text: string,
  ) {
    super(`Docker answered ${status}: ${text.trim()}`);
  }
}
