import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Worker } from '@temporalio/worker';

/** `GET /health` on loopback: 200 while every Temporal worker of this process runs, else 503. */
export async function serveHealth(port: number, workers: ReadonlyMap<string, Worker>): Promise<Server> {
  const server = createServer((request, response) => {
    if (request.url !== '/health') {
      response.writeHead(404).end();
      return;
    }
    const states = Object.fromEntries([...workers].map(([queue, worker]) => [queue, worker.getState()]));
    const up = Object.values(states).every((state) => state === 'RUNNING');
    response.writeHead(up ? 200 : 503, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ status: up ? 'up' : 'down', taskQueues: states }));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return server;
}

export function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}
