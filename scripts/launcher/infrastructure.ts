import { ensureBaseImage } from './base-image.js';
import { bringUpEngine } from './components/engine.js';
import { bringUpObjectStorage, type ObjectStoragePlace } from './components/minio.js';
import { bringUpPostgres, withoutPassword } from './components/postgres.js';
import { bringUpTemporal, type TemporalPlace } from './components/temporal.js';
import type { LaunchContext } from './context.js';
import { migrate } from './migrations.js';
import type { RunState } from './run-file.js';
import { buildRunner } from './runner-build.js';

/** Where the parts of an instance answer, once they do, and what the sandboxes are made of. */
export interface Infrastructure {
  readonly dockerHost: string;
  readonly databaseUrl: string;
  readonly temporal: TemporalPlace;
  readonly objectStorage: ObjectStoragePlace;
  readonly baseImage: string;
  /** Where worker and API are not started, nobody needs the runner. */
  readonly runnerDirectory: string | undefined;
}

/**
 * Everything that worker and API stand on, at once: each part waits only for what it needs. The first that cannot be had ends the
 * others' waiting, so that the message comes at once.
 */
export async function bringUpInfrastructure(
  context: LaunchContext,
  interruption: AbortController,
): Promise<Infrastructure> {
  const { reporter, options } = context;
  const engine = reporter.step('docker', (say) => bringUpEngine(context, say));
  const database = reporter.step('postgres', () => bringUpPostgres(context));
  const nothing = Promise.resolve(undefined);
  const parts = [
    engine,
    database,
    reporter.step('temporal', (say) => bringUpTemporal(context, say)),
    reporter.step('object storage', (say) => bringUpObjectStorage(context, say)),
    engine.then((dockerHost) =>
      reporter.step('base image', (say) => ensureBaseImage(context, dockerHost, say)),
    ),
    options.onlyInfra ? nothing : reporter.step('runner', (say) => buildRunner(context, say)),
    options.onlyInfra ? nothing : database.then((databaseUrl) => migrate(context, databaseUrl)),
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
  const [dockerHost, databaseUrl, temporal, objectStorage, baseImage, runnerDirectory] = await all;
  return { dockerHost, databaseUrl, temporal, objectStorage, baseImage, runnerDirectory };
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
