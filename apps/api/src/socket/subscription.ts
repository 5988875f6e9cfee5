import type {
  BulkStore,
  DomainError,
  ExecStore,
  OperationStore,
  OutputSource,
  SandboxStore,
  TenantId,
  WakeReceiver,
} from '#domain';
import type { ExecReader } from '../output/exec-reader.js';
import type { SubscribeMessage } from './client-message.js';
import type { Outbox } from './outbox.js';

/** What topics read from. */
export interface TopicSources {
  readonly execs: ExecStore;
  readonly output: OutputSource;
  readonly sandboxes: SandboxStore;
  readonly operations: OperationStore;
  readonly bulks: BulkStore;
  readonly reader: ExecReader;
  readonly receiver: WakeReceiver;
}

/** One subscription of one socket. */
export interface Subscription {
  readonly request: SubscribeMessage;
  /** The name of the topic without its kind. */
  readonly topicId: string;
  readonly tenantId: TenantId;
  /** Stands for the subscription in binary messages. */
  readonly number: number;
  readonly outbox: Outbox;
  readonly signal: AbortSignal;
  onOutage(error: DomainError): void;
}

/** Opening a topic checks it and throws; what it returns then runs until the end or until the signal. */
export type OpenedTopic = { readonly ack: object; run(): Promise<void> };
export type OpenTopic = (sources: TopicSources, subscription: Subscription) => Promise<OpenedTopic>;
