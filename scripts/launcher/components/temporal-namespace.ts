import { Connection, isGrpcServiceError } from '@temporalio/client';

const CONNECT_TIMEOUT_MS = 3_000;
const CALL_TIMEOUT_MS = 5_000;
/** gRPC's number for: there is none of that name. */
const GRPC_NOT_FOUND = 5;
const RETENTION_DAYS = 7;
const SECONDS_PER_DAY = 86_400;
/** The server's number for the type Keyword. */
const KEYWORD = 2;

/** By these a person finds a run in the Web UI. They are set at the start of a run. */
export const SEARCH_ATTRIBUTES = [
  'TenantId',
  'OwnerId',
  'SandboxId',
  'HostId',
  'OpKind',
  'OpState',
  'ParkedStep',
  'ParkReason',
  'BulkId',
] as const;

export async function probeNamespace(address: string, namespace: string): Promise<void> {
  await withConnection(address, async (connection) => {
    await connection.workflowService.describeNamespace({ namespace });
  });
}

/** Sets the retention and adds the search attributes that the namespace lacks. Repeating it changes nothing. */
export async function prepareNamespace(address: string, namespace: string): Promise<void> {
  await withConnection(address, async (connection) => {
    const { config } = await connection.workflowService.describeNamespace({ namespace });
    const seconds = config?.workflowExecutionRetentionTtl?.seconds;
    const missingSeconds = RETENTION_DAYS * SECONDS_PER_DAY - (seconds?.toNumber() ?? 0);
    if (seconds && missingSeconds > 0) {
      const workflowExecutionRetentionTtl = { seconds: seconds.add(missingSeconds) };
      await connection.workflowService.updateNamespace({
        namespace,
        config: { workflowExecutionRetentionTtl },
      });
    }
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
    const missing = SEARCH_ATTRIBUTES.filter((name) => customAttributes?.[name] === undefined);
    if (missing.length === 0) return;
    const searchAttributes = Object.fromEntries(missing.map((name) => [name, KEYWORD]));
    await connection.operatorService.addSearchAttributes({ namespace, searchAttributes });
  });
}

/** Creates the namespace where an operator has not; a server of our own makes it by itself. */
export async function createNamespace(address: string, namespace: string): Promise<void> {
  await withConnection(address, async (connection) => {
    try {
      await connection.workflowService.describeNamespace({ namespace });
    } catch (error) {
      if (!isGrpcServiceError(error) || error.code !== GRPC_NOT_FOUND) throw error;
      await connection.workflowService.registerNamespace({
        namespace,
        description: 'Berth',
        workflowExecutionRetentionPeriod: { seconds: RETENTION_DAYS * SECONDS_PER_DAY } as never,
      });
    }
  });
}

async function withConnection(
  address: string,
  work: (connection: Connection) => Promise<void>,
): Promise<void> {
  const connection = await Connection.connect({ address, connectTimeout: CONNECT_TIMEOUT_MS });
  try {
    await connection.withDeadline(Date.now() + CALL_TIMEOUT_MS, () => work(connection));
  } finally {
    await connection.close();
  }
}
