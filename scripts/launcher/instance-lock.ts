import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:net';
import { hasCode } from './setup-problem.js';

/**
 * One supervisor per state directory. The lock is a socket in Linux's abstract namespace: the kernel frees it with the process,
 * however that ends, so there is nothing stale to clear. It carries no messages. Returns nothing when somebody holds it.
 */
export async function acquireInstanceLock(stateRoot: string): Promise<Server | undefined> {
  const name = `\0berth-supervisor-${createHash('sha256').update(stateRoot).digest('hex').slice(0, 24)}`;
  const server = createServer((socket) => socket.destroy());
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      if (hasCode(error, 'EADDRINUSE')) resolve(undefined);
      else reject(error);
    });
    server.listen(name, () => {
      server.unref();
      resolve(server);
    });
  });
}
