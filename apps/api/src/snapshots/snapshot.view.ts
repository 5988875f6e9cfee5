import type { Page, Snapshot } from '#domain';
import { z } from 'zod';
import { links, pageOf, timestamp } from '../http/resources.js';

export const SnapshotView = z
  .object({
    id: z.string(),
    owner: z.string(),
    sandboxId: z.string(),
    image: z.string().meta({ description: 'What the sandbox was made of.' }),
    state: z
      .enum(['writing', 'ready'])
      .meta({ description: '`ready`: all of it has been read back. Nothing else can be restored.' }),
    summary: z
      .object({
        formatVersion: z.int(),
        entries: z.int(),
        bytes: z.int().meta({ description: 'Of the files together.' }),
        streamBytes: z.int().meta({ description: 'Of the archive.' }),
        sha256: z.string(),
        changed: z.int().meta({ description: 'Files that were written while they were read.' }),
        skipped: z.int().meta({ description: 'Sockets and devices, which are not kept.' }),
      })
      .nullable(),
    createdAt: timestamp,
    readyAt: timestamp.nullable(),
    links,
  })
  .meta({ id: 'Snapshot' });
export type SnapshotView = z.infer<typeof SnapshotView>;

export const SnapshotPage = pageOf(SnapshotView, 'SnapshotPage');

export function snapshotView(snapshot: Snapshot): SnapshotView {
  const { id, ownerId, sandboxId, image, state, summary, createdAt, readyAt } = snapshot;
  return {
    id,
    owner: ownerId,
    sandboxId,
    image,
    state,
    summary: summary && { ...summary },
    createdAt,
    readyAt,
    links: { self: `/v1/snapshots/${id}`, sandbox: `/v1/sandboxes/${sandboxId}` },
  };
}

export const snapshotPage = (page: Page<Snapshot>): z.infer<typeof SnapshotPage> => ({
  items: page.items.map(snapshotView),
  nextCursor: page.nextCursor,
});
