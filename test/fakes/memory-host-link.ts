import type { ExecId, HostLink } from '#domain';

/** Notes the hints that a host would get. */
export class MemoryHostLink implements HostLink {
  readonly hinted: ExecId[] = [];

  hint(_host: string, exec: ExecId): void {
    this.hinted.push(exec);
  }
}
