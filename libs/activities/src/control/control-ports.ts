import type {
  BulkSweepStore,
  CredentialStore,
  ExecStore,
  HostStore,
  Log,
  OperationStore,
  SandboxStore,
  SnapshotStore,
  SweepStore,
  WakeSender,
  WorkflowInspector,
  WorkflowSignaller,
  WorkflowStarter,
} from '#domain';

export interface ControlActivityPorts {
  readonly sandboxes: SandboxStore;
  readonly operations: OperationStore;
  readonly execs: ExecStore;
  readonly snapshots: Pick<SnapshotStore, 'discard'>;
  readonly sweeps: SweepStore;
  readonly bulks: BulkSweepStore;
  readonly credentials: Pick<CredentialStore, 'removeOfOperation' | 'removeLeft'>;
  readonly hosts: Pick<HostStore, 'list'>;
  readonly wake: WakeSender;
  readonly runs: WorkflowStarter & WorkflowSignaller & WorkflowInspector;
  readonly log: Log;
}
