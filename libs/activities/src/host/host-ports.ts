import type {
  ContainerEngine,
  ExecStore,
  Log,
  ObjectStore,
  OperationStore,
  SandboxStore,
  SnapshotStore,
  WakeSender,
} from '#domain';
import type { ExecSupervisor } from '../exec/exec-supervisor.js';

export interface HostActivityPorts {
  readonly snapshots: SnapshotStore;
  readonly objects: ObjectStore;
  readonly sandboxes: SandboxStore;
  readonly operations: OperationStore;
  readonly execs: ExecStore;
  readonly engine: ContainerEngine;
  readonly supervisor: Pick<ExecSupervisor, 'join' | 'continueQueue'>;
  readonly wake: WakeSender;
  readonly log: Log;
}
