import type { FileHead } from '#domain';
import { z } from 'zod';
import { seenAs } from '../git/git.view.js';
import { links, pageOf, timestamp } from '../http/resources.js';

export const FileView = z
  .object({
    name: z.string(),
    kind: z.enum(['file', 'folder', 'link', 'other']),
    bytes: z.int().min(0),
    mode: z.int().meta({ description: 'The permissions, as a number.' }),
    modifiedAt: timestamp,
    etag: z.string().regex(/^[\x21\x23-\x7e]{1,100}$/),
    target: z.string().optional().meta({ description: 'Where a link leads.' }),
  })
  .meta({ id: 'File' });
export type FileView = z.infer<typeof FileView>;

export const FilePage = pageOf(FileView, 'FilePage');

export const UploadView = z
  .object({ id: z.string(), appliedTo: z.int(), file: FileView.nullable(), links })
  .meta({ id: 'FileUpload' });

export const fileIn = (head: FileHead): FileView => seenAs(FileView, head.file);

export const entriesIn = ({ entries }: FileHead): FileView[] => seenAs(z.array(FileView), entries ?? []);
