import { z } from 'zod';
import { idText, pageQuery } from '../http/inputs.js';

export const SnapshotParams = z.strictObject({ snapshotId: idText });
export const SnapshotsQuery = z.strictObject({ ...pageQuery });
export type SnapshotsQuery = z.infer<typeof SnapshotsQuery>;
