import { DomainError, hostId, type HostId, type HostRow, type HostStore } from '#domain';

export class MemoryHosts implements HostStore {
  live = true;

  async renewLease(): Promise<void> {
    await Promise.resolve();
  }

  async list(): Promise<HostRow[]> {
    return await Promise.resolve([
      {
        id: hostId('local'),
        streamAddress: '127.0.0.1:0',
        dockerVersion: 'memory',
        leaseExpiresAt: '2100-01-01T00:00:00.000Z',
        live: this.live,
      },
    ]);
  }

  async place(): Promise<HostId> {
    await Promise.resolve();
    if (this.live) return hostId('local');
    throw new DomainError('dependency_unavailable', 'No host is available for a new sandbox.', {
      dependency: 'host',
      retryAfterSeconds: 5,
    });
  }
}
