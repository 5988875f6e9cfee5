import type { ExecId, HostId } from '../ids.js';

/** The API's way to a host, beside Temporal: for what must be quick and may be lost. */
export interface HostLink {
  /** Tells the host that this exec may be claimed now. Never throws and is never waited for: the exec's run does the same. */
  hint(host: HostId, exec: ExecId): void;
}

/** What a host does for the API. */
export interface HostServices {
  hurry(execs: readonly ExecId[]): Promise<void>;
}
