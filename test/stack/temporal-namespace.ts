import { randomBytes } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import proto from '@temporalio/proto';
import { NativeConnection } from '@temporalio/worker';
import { SEARCH_ATTRIBUTES } from '#workflows/contract';

const RETENTION_SECONDS = 24 * 3_600;
const READY_WITHIN_MS = 20_000;
const RETRY_MS = 100;

export interface TestNamespace {
  readonly name: string;
  readonly client: Client;
  readonly native: NativeConnection;
  close(): Promise<void>;
}

/** A namespace of its own on the real server, with the search attributes, so that tests share no Task Queue with anything. */
export async function createTestNamespace(address: string): Promise<TestNamespace> {
  const name = `test-${randomBytes(6).toString('hex')}`;
  const connection = await Connection.connect({ address });
  await connection.workflowService.registerNamespace({
    namespace: name,
    workflowExecutionRetentionPeriod: { seconds: RETENTION_SECONDS as never },
  });
  await untilDone(async () => {
    await connection.operatorService.addSearchAttributes({
      namespace: name,
      searchAttributes: Object.fromEntries(
        SEARCH_ATTRIBUTES.map((attribute) => [
          attribute,
          proto.temporal.api.enums.v1.IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
        ]),
      ),
    });
  });
  const native = await NativeConnection.connect({ address });
  return {
    name,
    client: new Client({ connection, namespace: name }),
    native,
    async close() {
      await native.close();
      await connection.close();
    },
  };
}

/** A new namespace reaches every part of the server only after a moment. */
async function untilDone(work: () => Promise<void>): Promise<void> {
  const startedAt = performance.now();
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (performance.now() - startedAt > READY_WITHIN_MS) throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}
