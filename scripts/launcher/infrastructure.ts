import { bringUpEngine } from './components/engine.js';
import { bringUpObjectStorage, type ObjectStoragePlace } from './components/minio.js';
import { bringUpPostgres, withoutPassword } from './components/postgres.js';
import { bringUpTemporal, type TemporalPlace } from './components/temporal.js';
import type { LaunchContext } from './context.js';
import type { RunState } from './run-file.js';

/** Where the parts of an instance answer, once they do. */
export interface Infrastructure {
  readonly dockerHost: string;
  readonly databaseUrl: string;
  readonly temporal: TemporalPlace;
  readonly objectStorage: ObjectStoragePlace;
}

/** The four at once. The first that cannot be had ends the others' waiting, so that the message comes at once. */
export async function bringUpInfrastructure(
  context: LaunchContext,
  interruption: AbortController,
): Promise<Infrastructure> {
  const { reporter } = context;
  const parts = [
    reporter.step('docker', (say) => bringUpEngine(context, say)),
    reporter.step('postgres', () => bringUpPostgres(context)),
    reporter.step('temporal', (say) => bringUpTemporal(context, say)),
    reporter.step('object storage', (say) => bringUpObjectStorage(context, say)),
  ] as const;
  const all = Promise.all(parts);
  const failure = all.then(
    () => undefined,
    (error: unknown) => {
      interruption.abort();
      return { error };
    },
  );
  // Nothing may still be starting when the caller begins to end what was started.
  await Promise.allSettled(parts);
  const failed = await failure;
  if (failed !== undefined) throw failed.error;
  const [dockerHost, databaseUrl, temporal, objectStorage] = await all;
  return { dockerHost, databaseUrl, temporal, objectStorage };
}

export function addresses({
  dockerHost,
  databaseUrl,
  temporal,
  objectStorage,
}: Infrastructure): Partial<RunState> {
  return {
    dockerHost,
    databaseUrl: withoutPassword(databaseUrl),
    temporalAddress: temporal.address,
    ...(temporal.uiUrl === undefined ? {} : { temporalUiUrl: temporal.uiUrl }),
    s3Endpoint: objectStorage.endpoint,
  };
}
