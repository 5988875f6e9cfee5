import { limits, type ContainerEngine, type HostId, type HostStore, type Log } from '#domain';

/** Renews the lease of this host while its engine answers. A host without a lease gets no new sandboxes. */
export class HostPresence {
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly ports: {
      readonly hosts: HostStore;
      readonly engine: ContainerEngine;
      readonly log: Log;
    },
    private readonly hostId: HostId,
    private readonly streamAddress: string,
  ) {}

  async start(): Promise<void> {
    await this.renew();
    this.timer = setInterval(() => void this.renew(), limits.HOST_LEASE_RENEW_MS);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private async renew(): Promise<void> {
    try {
      const dockerVersion = await this.ports.engine.version();
      const { streamAddress } = this;
      await this.ports.hosts.renewLease(this.hostId, {
        streamAddress,
        dockerVersion,
        leaseMs: limits.HOST_LEASE_MS,
      });
    } catch (error) {
      this.ports.log.warn({ err: error, hostId: this.hostId }, 'The lease of this host was not renewed.');
    }
  }
}
