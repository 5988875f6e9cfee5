import type { HostId } from '../ids.js';

export interface HostStore {
  renewLease(
    id: HostId,
    facts: { streamAddress: string; dockerVersion: string; leaseMs: number },
  ): Promise<void>;
  list(): Promise<HostRow[]>;
  /** The host for a new sandbox; throws `dependency_unavailable` (host) when none has a live lease. */
  place(): Promise<HostId>;
}

export interface HostRow {
  readonly id: HostId;
  readonly streamAddress: string;
  readonly dockerVersion: string;
  readonly leaseExpiresAt: string;
  readonly live: boolean;
}
