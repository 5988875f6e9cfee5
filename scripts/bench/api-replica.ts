import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { RunningInstance } from './running-instance.js';

const READY_WITHIN_MS = 60_000;
const LOOK_AGAIN_MS = 100;

/** A second API process of the installation, as it is started for more throughput, with one setting changed. */
export class ApiReplica {
  private constructor(
    readonly instance: RunningInstance,
    private readonly child: ChildProcess,
  ) {}

  static async start(of: RunningInstance, settings: NodeJS.ProcessEnv): Promise<ApiReplica> {
    const [program = '', ...args] = procStrings(of.pids.api, 'cmdline');
    const port = await freePort();
    const child = spawn(program, args, {
      env: { ...environmentOf(of.pids.api), ...settings, BERTH_API_PORT: String(port) },
      stdio: 'ignore',
    });
    const apiUrl = `http://127.0.0.1:${port}`;
    const replica = new ApiReplica({ ...of, apiUrl, pids: { ...of.pids, api: child.pid ?? 0 } }, child);
    await replica.untilReady(apiUrl);
    return replica;
  }

  async close(): Promise<void> {
    if (this.child.exitCode !== null) return;
    this.child.kill('SIGTERM');
    await once(this.child, 'exit');
  }

  private async untilReady(apiUrl: string): Promise<void> {
    const giveUpAt = performance.now() + READY_WITHIN_MS;
    for (;;) {
      const answer = await fetch(`${apiUrl}/health/ready`).catch(() => undefined);
      if (answer?.ok) return;
      if (this.child.exitCode !== null || performance.now() > giveUpAt) {
        await this.close();
        throw new Error('A second API process did not get ready.');
      }
      await delay(LOOK_AGAIN_MS);
    }
  }
}

/** What a process of this user was started with. */
export function environmentOf(pid: number): NodeJS.ProcessEnv {
  const pairs = procStrings(pid, 'environ').map((pair) => {
    const at = pair.indexOf('=');
    return [pair.slice(0, at), pair.slice(at + 1)] as const;
  });
  return Object.fromEntries(pairs);
}

function procStrings(pid: number, file: 'cmdline' | 'environ'): string[] {
  return readFileSync(`/proc/${pid}/${file}`, 'utf8').split('\0').filter(Boolean);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('No port was given.');
  return address.port;
}
