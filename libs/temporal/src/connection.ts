import { Client, Connection, isGrpcServiceError, ServiceError } from '@temporalio/client';
import { DomainError } from '#domain';

const CALL_TIMEOUT_MS = 5_000;
/** https://grpc.github.io/grpc/core/md_doc_connectivity-semantics-and-api.html */
const CHANNEL_READY = 2;
/** A server that hangs still has its connection, so only one that has just answered is believed to answer. */
const ANSWER_FRESH_MS = 250;

export interface TemporalOptions {
  readonly address: string;
  readonly namespace: string;
}

/** A client that connects on first use, so that a process starts, and answers 503, while the server is away. */
export class TemporalConnection {
  readonly client: Client;
  private answeredAt = -Infinity;

  private constructor(
    private readonly connection: Connection,
    options: TemporalOptions,
  ) {
    this.client = new Client({ connection, namespace: options.namespace });
  }

  static open(options: TemporalOptions): TemporalConnection {
    return new TemporalConnection(Connection.lazy({ address: options.address }), options);
  }

  /** Every call has a deadline; what the network or the server refuses becomes `dependency_unavailable`. */
  async call<T>(work: (client: Client) => Promise<T>): Promise<T> {
    try {
      const answer = await this.connection.withDeadline(Date.now() + CALL_TIMEOUT_MS, () =>
        work(this.client),
      );
      this.answeredAt = performance.now();
      return answer;
    } catch (error) {
      this.answeredAt = -Infinity;
      throw translateError(error);
    }
  }

  /** Whether the next call is all but sure to be answered, as far as is known without asking. */
  get isAnswering(): boolean {
    const channel = this.connection['client'].getChannel();
    const isReady = Number(channel.getConnectivityState(true)) === CHANNEL_READY;
    return isReady && performance.now() - this.answeredAt < ANSWER_FRESH_MS;
  }

  /** Throws unless the namespace answers. */
  async probe(): Promise<void> {
    await this.call((client) =>
      client.workflowService.describeNamespace({ namespace: client.options.namespace }),
    );
  }

  async close(): Promise<void> {
    await this.connection.close();
  }
}

function translateError(error: unknown): unknown {
  const away =
    isGrpcServiceError(error) || (error instanceof ServiceError && isGrpcServiceError(error.cause));
  if (!away) return error;
  return new DomainError('dependency_unavailable', 'Temporal does not answer.', {
    cause: error,
    detail: error.message,
    dependency: 'temporal',
    retryAfterSeconds: 2,
  });
}
