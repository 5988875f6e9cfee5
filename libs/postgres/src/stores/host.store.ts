import { DomainError, hostId, type HostId, type HostRow, type HostStore } from '#domain';
import type { Database } from '../database.js';

/** Hosts belong to no customer; their rows carry the system's own tenant. */
const SYSTEM_TENANT = 'system';

export class PostgresHostStore implements HostStore {
  constructor(private readonly database: Database) {}

  async renewLease(
    id: HostId,
    facts: { streamAddress: string; dockerVersion: string; leaseMs: number },
  ): Promise<void> {
    await this.database.query(
      `INSERT INTO hosts (id, tenant_id, owner_id, stream_address, docker_version, lease_expires_at)
       VALUES ($1, $2, $2, $3, $4, now() + make_interval(secs => $5))
       ON CONFLICT (id) DO UPDATE SET stream_address = excluded.stream_address,
         docker_version = excluded.docker_version, lease_expires_at = excluded.lease_expires_at, updated_at = now()`,
      [id, SYSTEM_TENANT, facts.streamAddress, facts.dockerVersion, facts.leaseMs / 1_000],
    );
  }

  async list(): Promise<HostRow[]> {
    const rows = await this.database.query<Omit<HostRow, 'leaseExpiresAt'> & { leaseExpiresAt: Date }>(
      `SELECT id, stream_address AS "streamAddress", docker_version AS "dockerVersion",
         lease_expires_at AS "leaseExpiresAt", lease_expires_at > now() AS live FROM hosts ORDER BY id`,
    );
    return rows.map((row) => ({ ...row, leaseExpiresAt: row.leaseExpiresAt.toISOString() }));
  }

  async place(): Promise<HostId> {
    const [row] = await this.database.query<{ id: string }>(
      `SELECT h.id FROM hosts h WHERE h.lease_expires_at > now()
       ORDER BY (SELECT count(*) FROM sandboxes s WHERE s.host_id = h.id AND s.observed_state <> 'deleted'), h.id
       LIMIT 1`,
    );
    if (!row) {
      throw new DomainError('dependency_unavailable', 'No host is available for a new sandbox.', {
        dependency: 'host',
        detail: 'No row in hosts has a live lease; is a worker with the role `host` running?',
        retryAfterSeconds: 5,
      });
    }
    return hostId(row.id);
  }
}
