import type {
  ContainerEngine,
  ExecStore,
  Log,
  PassedBuffers,
  SandboxStore,
  WorkflowSignaller,
} from '#domain';

export interface ExecSupervisorPorts {
  readonly execs: ExecStore;
  readonly sandboxes: SandboxStore;
  readonly engine: ContainerEngine;
  readonly signaller: WorkflowSignaller;
  readonly buffers: PassedBuffers;
  readonly log: Log;
}
