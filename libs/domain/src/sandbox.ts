import type { Failure } from './errors.js';
import type { HostId, OperationId, OwnerId, SandboxId, TenantId, WorkspaceId } from './ids.js';
import type { Health } from './sandbox.health.js';
import type { DueRestart } from './sandbox.restarts.js';
import type { SandboxSettings } from './sandbox.settings.js';
import type { SandboxDesiredState, SandboxObservedState } from './sandbox.states.js';

export interface Sandbox extends SandboxSettings {
  readonly id: SandboxId;
  readonly tenantId: TenantId;
  readonly ownerId: OwnerId;
  /** Unique per tenant and owner among sandboxes that are not deleted. */
  readonly name: string;
  readonly image: string;
  readonly tier: TierName;
  /** Words of its owner to find and select it by. */
  readonly labels: Readonly<Record<string, string>>;
  readonly hostId: HostId;
  /** Raised each time a container is created for the sandbox; fences every effect. */
  readonly generation: number;
  /** The operation that raised it. */
  readonly operationId: OperationId | null;
  readonly desiredState: SandboxDesiredState;
  readonly observedState: SandboxObservedState;
  readonly containerId: string | null;
  /** Each restore makes one beside the one before; null for the workspace that it began with. */
  readonly workspaceId: WorkspaceId | null;
  /** Whether that one has been made. One that was there once and is gone is never made again in silence. */
  readonly workspaceMade: boolean;
  readonly failure: Failure | null;
  /** Raised with each change of the settings. */
  readonly settingsVersion: number;
  readonly health: Health;
  /** When it was started again by itself, the oldest first. */
  readonly restarts: readonly string[];
  readonly restartDue: DueRestart | null;
  readonly createdAt: string;
  readonly updatedAt: string;
}

export const DEFAULT_SANDBOX_NAME = 'default';

export type TierName = 'small' | 'medium' | 'large';

/** What a container may use of its host. Memory in bytes, CPU in thousandths of a core. */
export interface ContainerLimits {
  readonly memoryBytes: number;
  readonly milliCpus: number;
  readonly pidsMax: number;
}

/** What a sandbox may use, and how many execs it takes. */
export interface Tier extends ContainerLimits {
  /** Execs that run at the same time; more of them wait in the queue of the sandbox. */
  readonly execsRunningMax: number;
  /** Execs that may wait; one more is refused with `queue_full`. */
  readonly execsQueuedMax: number;
}

const GIB = 1_024 ** 3;

export const TIERS: Readonly<Record<TierName, Tier>> = {
  small: {
    memoryBytes: 1 * GIB,
    milliCpus: 1_000,
    pidsMax: 512,
    execsRunningMax: 32,
    execsQueuedMax: 500,
  },
  medium: {
    memoryBytes: 4 * GIB,
    milliCpus: 2_000,
    pidsMax: 1_024,
    execsRunningMax: 64,
    execsQueuedMax: 1_000,
  },
  large: {
    memoryBytes: 16 * GIB,
    milliCpus: 8_000,
    pidsMax: 2_048,
    execsRunningMax: 128,
    execsQueuedMax: 2_000,
  },
};

export const DEFAULT_TIER: TierName = 'medium';

/**
 * Needs a start before an exec can run, and no start is under way. A `degraded` container may hold running commands, so
 * it is never replaced in passing: that takes a restart by someone who means it.
 */
export function needsStart(sandbox: Pick<Sandbox, 'observedState'>): boolean {
  return ['none', 'stopped', 'missing'].includes(sandbox.observedState);
}
