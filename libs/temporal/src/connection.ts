import { Client, Connection, isGrpcServiceError, ServiceError } from '@temporalio/client';
import { DomainError } from '#domain';

const CALL_TIMEOUT_MS = 5_000;

export interface TemporalOptions {
  readonly address: string;
  readonly namespace: string;
}

/** A client that connects on first use, so that a process starts, and answers 503, while the server is away. */
export class TemporalConnection {
  readonly client: Client;

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
      return await this.connection.withDeadline(Date.now() + CALL_TIMEOUT_MS, () => work(this.client));
    } catch (error) {
      throw translateError(error);
    }
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
