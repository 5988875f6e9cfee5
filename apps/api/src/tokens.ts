import type {
  BulkStore,
  CredentialStore,
  ExecStore,
  HostLink,
  HostStore,
  IdempotencyStore,
  OperationStore,
  OutputSource,
  OutputVerifier,
  SandboxStore,
  SnapshotStore,
  WakeReceiver,
  WakeSender,
  WorkflowInspector,
  WorkflowSignaller,
  WorkflowStarter,
} from '#domain';
import type { Logger } from 'pino';
import type { Config } from './config.js';
import type { HealthProbe } from './health/health-probe.js';

/** What the API needs from the world. The composition root gives adapters, tests give small in-memory fakes. */
export interface ApiPorts {
  readonly sandboxes: SandboxStore;
  readonly operations: OperationStore;
  readonly snapshots: SnapshotStore;
  readonly execs: ExecStore;
  readonly bulks: BulkStore;
  readonly credentials: CredentialStore;
  readonly output: OutputSource;
  readonly verifier: OutputVerifier;
  readonly hosts: HostStore;
  readonly keys: IdempotencyStore;
  readonly hostLink: HostLink;
  readonly wakeReceiver: WakeReceiver;
  readonly wakeSender: WakeSender;
  readonly workflows: WorkflowStarter & WorkflowSignaller & WorkflowInspector;
  readonly probes: readonly HealthProbe[];
}

export type ApiConfig = Pick<Config, 'adminSecret' | 'baseImage' | 'execWorkflow' | 'idleStopSeconds'>;

/** Injection tokens, one per collaborator: interfaces leave no trace at run time. */
export const CONFIG = Symbol('Config');
export const LOGGER = Symbol('Logger');
export const SANDBOX_STORE = Symbol('SandboxStore');
export const OPERATION_STORE = Symbol('OperationStore');
export const BULK_STORE = Symbol('BulkStore');
export const SNAPSHOT_STORE = Symbol('SnapshotStore');
export const EXEC_STORE = Symbol('ExecStore');
export const CREDENTIAL_STORE = Symbol('CredentialStore');
export const OUTPUT_SOURCE = Symbol('OutputSource');
export const OUTPUT_VERIFIER = Symbol('OutputVerifier');
export const HOST_STORE = Symbol('HostStore');
export const IDEMPOTENCY_STORE = Symbol('IdempotencyStore');
export const HOST_LINK = Symbol('HostLink');
export const WAKE_RECEIVER = Symbol('WakeReceiver');
export const WAKE_SENDER = Symbol('WakeSender');
export const WORKFLOWS = Symbol('Workflows');
export const HEALTH_PROBES = Symbol('HealthProbes');
export const ROUTES = Symbol('Routes');
/** Closed when the last request has been answered. */
export const ADAPTERS = Symbol('Adapters');

export type { Logger };
