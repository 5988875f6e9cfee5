import { S3ObjectStore } from '#s3';
import type { WorkerConfig } from './config.js';

/** Object storage, for sealed output and snapshots. */
export function createObjectStore(config: WorkerConfig): S3ObjectStore {
  return new S3ObjectStore({
    endpoint: config.S3_ENDPOINT,
    region: config.S3_REGION,
    bucket: config.S3_BUCKET,
    accessKey: config.S3_ACCESS_KEY,
    secretKey: config.S3_SECRET_KEY,
  });
}
